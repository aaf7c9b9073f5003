package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/simulate"
	"balanceo/results/units"
	"balanceo/topology/cli"
)

type simulateCommand struct {
	Upstreams int     `long:"upstreams" value-name:"N" default:"1000" description:"how many there are"`
	Balancers int     `long:"balancers" value-name:"N" default:"64" description:"how many share the load without knowing of each other"`
	Requests  float64 `long:"requests" value-name:"N" default:"1e8" description:"how many are sent; shown for every tenth part of it, too"`
	Busy      float64 `long:"busy" value-name:"N" default:"10" description:"requests under way for each upstream, on average"`
	Weighted  bool    `long:"weighted" description:"weights 1, 2, 3, 1, 2, 3 … in place of equal ones"`
	Seed      uint64  `long:"seed" value-name:"N" default:"1" description:"another one gives other random numbers"`
	JSON      bool    `long:"json" description:"print one JSON document"`

	c *command
}

// decades is how many tenfold numbers of requests are shown.
const decades = 4

// Execute is called by go-flags.
func (s *simulateCommand) Execute(args []string) error {
	if err := s.check(args); err != nil {
		return err
	}
	var at []int64
	for n, k := s.Requests, 0; k < decades && n >= 100; n, k = n/10, k+1 {
		at = append([]int64{int64(n)}, at...)
	}
	type row struct {
		Method string              `json:"method"`
		After  []simulate.Snapshot `json:"after"`
	}
	rows := make([]row, len(simulate.Methods()))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	config := simulate.Config{Upstreams: s.Upstreams, Balancers: s.Balancers, Busy: s.Busy, Weighted: s.Weighted, Seed: s.Seed}
	for i, m := range simulate.Methods() {
		g.Go(func() error {
			rows[i] = row{m.Name, m.Play(config, at)}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if s.JSON {
		return run.WriteJSON(s.c.stdout, struct {
			simulate.Config
			Methods []row `json:"methods"`
		}{config, rows})
	}
	fmt.Fprintf(s.c.stdout, "requests by which an upstream is furthest from its share\n%s behind %s that know nothing of each other\n\n",
		units.Count(int64(s.Upstreams), "upstream"), units.Count(int64(s.Balancers), "balancer"))
	t := &console.Table{Gap: 2, Columns: []console.Column{console.Left("method", 0)}}
	for _, n := range at {
		t.Columns = append(t.Columns, console.Right(units.Count(n, "request"), 2))
	}
	t.Columns = append(t.Columns, console.Right("of its share", 0), console.Right("busiest", 0))
	for _, r := range rows {
		cells := []string{r.Method}
		for _, after := range r.After {
			cells = append(cells, units.Number(after.Worst))
		}
		last := r.After[len(r.After)-1]
		t.Add(append(cells, units.Percent(last.Relative), fmt.Sprintf("%.1f×", last.Busiest))...)
	}
	if err := t.Write(s.c.stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.c.stdout, "\nbusiest: most requests that an upstream had under way, over the average of %s\n", units.Number(s.Busy))
	return err
}

// check refuses what can't be simulated in a sensible time.
func (s *simulateCommand) check(args []string) error {
	switch {
	case len(args) > 0:
		return cli.Usagef("simulate %q: no arguments are accepted", args[0])
	case s.Upstreams < 1 || s.Balancers < 1 || s.Upstreams > 1e6 || s.Balancers > 1e5:
		return cli.Usagef("--upstreams %d, --balancers %d: accepted are numbers from 1 to 1000000 and to 100000", s.Upstreams, s.Balancers)
	case s.Requests < 1000 || s.Requests > 1e10:
		return cli.Usagef("--requests %g: accepted are numbers from 1000 to 1e10", s.Requests)
	case !(s.Busy > 0) || s.Busy > 1000:
		return cli.Usagef("--busy %g: accepted are numbers above 0, to 1000", s.Busy)
	}
	return nil
}
