package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"balanceo/results/console"
	"balanceo/results/merge"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

type mergeCommand struct {
	JSON bool `long:"json" description:"print the merged record"`
	Args struct {
		Runs []string `positional-arg-name:"RUN" required:"1" description:"the parts: ids, unambiguous beginnings, or KEY=VALUE for all runs that have it; -: records on standard input, as loadgen -json printed them"`
	} `positional-args:"yes"`

	c *command
}

// parts are the runs that are named, or those on standard input, which are kept with the others.
func (m *mergeCommand) parts(runs []*run.Record) ([]*run.Record, error) {
	if !slices.Equal(m.Args.Runs, []string{"-"}) {
		return m.c.pick(runs, m.Args.Runs)
	}
	parts, err := run.Scan(os.Stdin)
	if err == nil && len(parts) == 0 {
		err = errors.New("there is no record on standard input")
	}
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	for _, p := range parts {
		if _, err := run.Write(m.c.Dir, p); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// Execute is called by go-flags.
func (m *mergeCommand) Execute([]string) error {
	runs, _, err := m.c.load()
	if err != nil {
		return err
	}
	parts, err := m.parts(runs)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if len(r.Parts) > 0 && len(parts) > 0 && r.Parts[0].Run == parts[0].ID {
			return fmt.Errorf("run %q has been merged already: %q names it", parts[0].ID, r.ID)
		}
	}
	sum, err := merge.Records(parts)
	if err != nil {
		return cli.Hint(fmt.Errorf("merge: %w", err), "\"results list\" lists the runs; each part says its number in \"results show --json RUN\"")
	}
	path, err := run.Write(m.c.Dir, sum)
	if err != nil {
		return err
	}
	if m.JSON {
		if err := run.WriteJSON(m.c.stdout, sum); err != nil {
			return err
		}
		return verdict(sum)
	}
	if err := report.Text(m.c.stdout, sum, report.Options{Colour: m.c.colour, Width: console.Width(m.c.stdout, console.DefaultWidth)}); err != nil {
		return err
	}
	fmt.Fprintln(m.c.stdout, "record     ", path)
	return verdict(sum)
}

// verdict is an error where the whole load broke a promise: no part is judged for its shares.
func verdict(sum *run.Record) error {
	if word, why := report.Outcome(sum); word == "FAIL" {
		return &cli.VerdictError{Reason: "merge: " + why}
	}
	return nil
}
