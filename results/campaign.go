package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"balanceo/results/campaign"
	"balanceo/results/compare"
	"balanceo/topology/cli"
)

type campaignCommand struct {
	Layouts   []string      `long:"layouts" value-name:"NAMES" default:"fork,cluster,single" description:"the layouts, by name or file, separated by commas; the others are held against the first"`
	Balancers []string      `long:"balancers" value-name:"NAMES" description:"each layout behind each of these, separated by commas: nginx, haproxy, caddy, apache (default: the layout's own)"`
	Rounds    int           `long:"rounds" value-name:"N" default:"10" description:"runs of each side; 1, 2, 4 sides against the first need 8, 9, 10 for anything to be significant"`
	Searches  int           `long:"searches" value-name:"N" default:"10" description:"searches for the capacity of each side, in turn with the runs; 0: none, and --rate is needed"`
	Rate      float64       `long:"rate" value-name:"N" description:"requests per second (default: a quarter of the least capacity)"`
	Duration  time.Duration `long:"duration" value-name:"TIME" default:"5s" description:"length of a run"`
	Probe     time.Duration `long:"probe" value-name:"TIME" default:"1s" description:"length of each run of a search; longer ones see queues that grow slowly"`
	Warmup    time.Duration `long:"warmup" value-name:"TIME" default:"1s" description:"sent before and not counted"`
	Scenario  string        `long:"scenario" value-name:"NAME" default:"mix" description:"as of loadgen"`
	SLO       string        `long:"slo" value-name:"SLO" default:"p99<100ms,errors<0.1%" description:"what a rate must hold to count as capacity"`
	NoSearch  bool          `long:"no-search" description:"the same as --searches 0"`
	HTTPPort  int           `long:"http-port" value-name:"N" description:"nginx's port (default: 80, or a free one)"`
	BasePort  int           `long:"base-port" value-name:"N" description:"first port of the instances (default: 8080, or free ones)"`
	Fresh     bool          `long:"fresh" description:"begin anew where an interrupted campaign could go on"`
	Bin       string        `long:"bin" value-name:"DIR" description:"where topology and loadgen lie (default: beside this command)"`
	Out       string        `short:"o" long:"out" value-name:"FILE" default:"results/compare.html" description:"the HTML report"`

	c *command
}

func (cc *campaignCommand) settings() (campaign.Settings, error) {
	s := campaign.Settings{
		Rounds: cc.Rounds, Searches: cc.Searches, Rate: cc.Rate, Duration: cc.Duration, Probe: cc.Probe, Warmup: cc.Warmup, Scenario: cc.Scenario, SLO: cc.SLO,
	}
	s.Sides = campaign.Sides(list(cc.Layouts), list(cc.Balancers))
	if cc.NoSearch {
		s.Searches = 0
	}
	switch {
	case len(s.Sides) < 2:
		return s, cli.Usagef("--layouts %q, --balancers %q: accepted are two or more of either, separated by commas", cc.Layouts, cc.Balancers)
	case s.Rounds < 1:
		return s, cli.Usagef("--rounds %d: accepted are numbers from 1 on", s.Rounds)
	case s.Searches < 0:
		return s, cli.Usagef("--searches %d: accepted are numbers from 0 on", s.Searches)
	case s.Rate < 0:
		return s, cli.Usagef("--rate %g: accepted are positive numbers", s.Rate)
	case s.Duration < time.Second:
		return s, cli.Usagef("--duration %v: accepted are lengths of time from 1s on", s.Duration)
	case s.Probe < 100*time.Millisecond:
		return s, cli.Usagef("--probe %v: accepted are lengths of time from 100ms on", s.Probe)
	case s.Searches == 0 && s.Rate == 0:
		return s, cli.Usagef("--searches 0: needs --rate, for no capacity gives one")
	}
	return s, nil
}

// Execute is called by go-flags.
func (cc *campaignCommand) Execute(args []string) error {
	if len(args) > 0 {
		return cli.Usagef("campaign %q: no arguments are accepted", args[0])
	}
	s, err := cc.settings()
	if err != nil {
		return err
	}
	commands, err := cc.commands(s)
	if err != nil {
		return err
	}
	progress := newProgress(cc.c.stderr)
	plan, err := cc.plan(s, progress)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = campaign.Run(ctx, plan, cc.c.Dir, commands, progress)
	progress.stop()
	if errors.Is(err, context.Canceled) {
		return cli.Hint(fmt.Errorf("interrupted after %d of %d steps", plan.Done(), len(plan.Steps)), "the same call goes on from there")
	}
	if err != nil {
		return cli.Hint(err, "what is done is kept: the same call goes on after %d of %d steps", plan.Done(), len(plan.Steps))
	}
	return cc.conclude(plan)
}

// commands finds the sibling commands.
func (cc *campaignCommand) commands(s campaign.Settings) (*campaign.Commands, error) {
	bin := cc.Bin
	if bin == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the commands beside this one: %w", err)
		}
		bin = filepath.Dir(self)
	}
	c := &campaign.Commands{Topology: filepath.Join(bin, "topology"), Loadgen: filepath.Join(bin, "loadgen"), Dir: cc.c.Dir, Settings: s}
	for _, path := range []string{c.Topology, c.Loadgen} {
		if _, err := exec.LookPath(path); err != nil {
			return nil, cli.Hint(fmt.Errorf("command %q: %w", path, err), "\"make build\" makes it, or name its folder with --bin")
		}
	}
	if cc.HTTPPort != 0 {
		c.Flags = append(c.Flags, "--http-port", strconv.Itoa(cc.HTTPPort))
	}
	if cc.BasePort != 0 {
		c.Flags = append(c.Flags, "--base-port", strconv.Itoa(cc.BasePort))
	}
	c.Flags = append(c.Flags, "--free-ports")
	return c, nil
}

// plan goes on with an interrupted campaign or makes a new one.
func (cc *campaignCommand) plan(s campaign.Settings, progress *progress) (*campaign.Plan, error) {
	if !cc.Fresh {
		p, err := campaign.Load(cc.c.Dir, s, time.Now())
		if err != nil {
			return nil, cli.Hint(err, "--fresh begins anew")
		}
		if p != nil {
			progress.Note(fmt.Sprintf("%s goes on after %d of %d steps; %s left", p.Label, p.Done(), len(p.Steps), roughly(p.Left())))
			return p, nil
		}
	}
	p := campaign.NewPlan(s, time.Now())
	progress.Note(fmt.Sprintf("%s: %s; %d steps, %s", p.Label, sideNames(s), len(p.Steps), roughly(p.Left())))
	return p, nil
}

// conclude compares, prints the tables and draws the page.
func (cc *campaignCommand) conclude(p *campaign.Plan) error {
	runs, err := p.Records(cc.c.Dir)
	if err != nil {
		return err
	}
	sets, _, err := compare.By(runs, "side")
	if err != nil {
		return err
	}
	ch := choice{Base: p.Settings.Sides[0].Name}
	if sets, err = ch.baseFirst(sets); err != nil {
		return err
	}
	tables, err := ch.tables(sets, "side")
	if err != nil {
		return err
	}
	if err := writeTables(cc.c.stdout, tables); err != nil {
		return err
	}
	if err := writePage(cc.c.stdout, "html", cc.Out, sets, tables); err != nil {
		return err
	}
	fmt.Fprintf(cc.c.stdout, "\nreport: %s\nagain:  results compare --dir %s --by side --label %s\n", cc.Out, cc.c.Dir, p.Label)
	return nil
}

// list parts lists with commas.
func list(lists []string) []string {
	var out []string
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}

func sideNames(s campaign.Settings) string {
	out := make([]string, len(s.Sides))
	for i, side := range s.Sides {
		out[i] = side.Name
	}
	return strings.Join(out, ", ")
}
