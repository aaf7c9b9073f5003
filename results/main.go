// Command results reads the records of runs: it lists and shows them, tells whether two sets of them differ and
// whether that is more than luck, draws them on a page, and hands them to other tools.
//
//	results list
//	results compare --by layout
//	results report -o report.html
//
// Each command is a file of its own here; what it does is done by a package under this folder: run (the record and
// its store), compare (statistics), page (HTML and Markdown), export (other formats), merge (parts of one load), model (scalability),
// simulate (balancers that can't be run here), campaign (the runs of
// "make compare").
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/jessevdk/go-flags"

	"balanceo/results/run"
	"balanceo/topology/cli"
)

func main() { os.Exit(results(os.Args[1:], os.Stdout, os.Stderr)) }

// command is what the commands share.
type command struct {
	Dir     string `long:"dir" value-name:"DIR" default:"results/runs" description:"the folder of the run records"`
	Version bool   `long:"version" description:"print the version"`

	stdout, stderr io.Writer
	colour         bool
}

// results is the whole command; its result is the exit code.
func results(args []string, stdout, stderr *os.File) int {
	c := &command{stdout: stdout, stderr: stderr, colour: cli.Colour(stdout)}
	parser := c.parser()
	_, err := cli.Parse(parser, repeatVs(args))
	return cli.Exit(stdout, stderr, "results", err)
}

func (c *command) parser() *flags.Parser {
	parser := flags.NewNamedParser("results", flags.HelpFlag|flags.PassDoubleDash)
	must := func(err error) {
		if err != nil {
			panic(err) // only for a wrong struct tag
		}
	}
	_, err := parser.AddGroup("Everywhere", "", c)
	must(err)
	add := func(name, short, long string, data any) {
		_, err := parser.AddCommand(name, short, long, data)
		must(err)
	}
	add("list", "list the runs", "List the runs, oldest first.", &listCommand{c: c})
	add("show", "show one run in full", "Show the report of one run from its record alone.", &showCommand{c: c})
	add("compare", "tell whether runs differ",
		"Compare the sets of runs that --by makes, or the runs named before --vs with those after it. "+
			"A run is one sample. ~ stands where a difference is not significant.", &compareCommand{c: c})
	add("report", "draw runs on a page", "Write one self-contained HTML file, or Markdown.", &reportCommand{c: c})
	add("export", "hand runs to other tools", "Write runs as CSV, HdrHistogram's percentiles, Prometheus text or Go benchmark format.", &exportCommand{c: c})
	add("merge", "add the parts of one load",
		"Add the records of several generators, each of which sent a part of one load (loadgen -part), to one record, which names them.",
		&mergeCommand{c: c})
	add("model", "predict the capacity of other sizes",
		"Fit the universal scalability law to measured capacities: what contention and coherency cost, where the peak is, "+
			"and what the next size would do, checked on the largest size left out.", &modelCommand{c: c})
	add("simulate", "play balancers that can't be run here",
		"Play round robin, random, two choices and least connections with many upstreams and balancers without shared state, "+
			"and tell how far from fair each is.", &simulateCommand{c: c})
	add("judge", "tell whether shares are as promised",
		"Hold counts, or the servers named line by line on standard input, against what a load balancer promises. "+
			"The exit code is 3 where they are not chance, and 0 where they are as promised or too few to tell.",
		&judgeCommand{c: c, stdin: os.Stdin})
	add("campaign", "run and compare all layouts",
		"Measure several layouts in interleaved runs, find the capacity of each, compare them and draw the page. "+
			"Interrupted, it goes on where it stopped when called again.", &campaignCommand{c: c})
	return parser
}

// load reads the store. Damaged files are named on stderr, and the rest is used.
func (c *command) load() ([]*run.Record, []run.Damaged, error) {
	runs, damaged, err := run.List(c.Dir)
	for _, d := range damaged {
		fmt.Fprintf(c.stderr, "results: skipped: %v\n", d.Err)
	}
	return runs, damaged, err
}

// resolve finds one run, with advice where there is none.
func (c *command) resolve(runs []*run.Record, ref string) (*run.Record, error) {
	r, err := run.Resolve(runs, ref)
	var notFound *run.NotFoundError
	switch {
	case errors.Is(err, run.ErrNoRuns):
		return nil, cli.Hint(fmt.Errorf("%q: %w", c.Dir, err), "make one with \"make bench\", or name another folder with --dir")
	case errors.As(err, &notFound):
		return nil, cli.Hint(fmt.Errorf("%q: %w", c.Dir, err), "\"results list\" lists them")
	}
	return r, err
}
