package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"balanceo/topology/cli"
	"balanceo/topology/control"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
)

// do finds the layout, checks the names of an action, and lets the layout's topology process carry it out.
func (s *session) do(ctx context.Context, w which, given []partName, a fleet.Action) error {
	st, err := s.find(w)
	if err != nil {
		return err
	}
	if a.Names, err = checkNames(st, given); err != nil {
		return err
	}
	a.By = "command line"
	return control.NewClient(st.Control).Do(ctx, a, func(line string) { fmt.Fprintln(s.stdout, line) })
}

// someParts are the arguments of commands that act on parts.
type someParts struct {
	Names []partName `positional-arg-name:"NAME" description:"instances, by name or port; nginx; database"`
}

// partsCommand is an action on some parts, or on all it is for.
type partsCommand struct {
	which
	Args someParts `positional-args:"yes"`
	verb fleet.Verb
}

func (c *partsCommand) run(ctx context.Context, s *session, _ []string) error {
	return s.do(ctx, c.which, c.Args.Names, fleet.Action{Verb: c.verb})
}

type killCommand struct {
	which
	Signal signalName  `short:"s" long:"signal" value-name:"SIGNAL" default:"KILL" description:"a name or a number"`
	Worker int         `long:"worker" value-name:"PID" description:"to this worker instead of the master"`
	For    *spanOfTime `long:"for" value-name:"TIME" description:"start it again, or with STOP let it go on, only after this time"`
	Args   struct {
		Name partName `positional-arg-name:"NAME" description:"an instance, by name or port; nginx; database"`
	} `positional-args:"yes" required:"yes"`
}

func (c *killCommand) run(ctx context.Context, s *session, _ []string) error {
	if c.Worker < 0 {
		return cli.Usagef("--worker %d: accepted is a pid", c.Worker)
	}
	a := fleet.Action{Verb: fleet.Kill, Signal: string(c.Signal), Worker: c.Worker}
	if c.For != nil {
		if a.For = c.For.Duration; a.For == 0 {
			return cli.Usagef("--for 0: accepted is a time above 0, for example 200ms or 10s")
		}
	}
	return s.do(ctx, c.which, []partName{c.Args.Name}, a)
}

type slowCommand struct {
	which
	Args struct {
		Name  partName   `positional-arg-name:"NAME" description:"an instance, by name or port"`
		Delay spanOfTime `positional-arg-name:"TIME" description:"how much later it answers; 0: no more"`
	} `positional-args:"yes" required:"yes"`
}

func (c *slowCommand) run(ctx context.Context, s *session, _ []string) error {
	return s.do(ctx, c.which, []partName{c.Args.Name}, fleet.Action{Verb: fleet.Slow, Delay: c.Args.Delay.Duration})
}

type balanceCommand struct {
	which
	Args struct {
		Group  string `positional-arg-name:"GROUP" description:"a group of servers, as nginx.conf names it"`
		Method string `positional-arg-name:"METHOD" description:"for example round_robin, least_conn or random, in the balancer's words"`
	} `positional-args:"yes" required:"yes"`
}

func (c *balanceCommand) run(ctx context.Context, s *session, _ []string) error {
	return s.do(ctx, c.which, nil, fleet.Action{Verb: fleet.Balance, Group: c.Args.Group, Method: c.Args.Method})
}

type weightsCommand struct {
	which
	Args struct {
		Group   string `positional-arg-name:"GROUP" description:"a group of servers, as nginx.conf names it"`
		Weights string `positional-arg-name:"WEIGHTS" description:"of its servers in their order, for example 3,1"`
	} `positional-args:"yes" required:"yes"`
}

func (c *weightsCommand) run(ctx context.Context, s *session, _ []string) error {
	weights, err := fleet.ParseWeights(c.Args.Weights)
	if err != nil {
		return cli.Usagef("weights: %w", err)
	}
	return s.do(ctx, c.which, nil, fleet.Action{Verb: fleet.Weights, Group: c.Args.Group, Weights: weights})
}

type scaleCommand struct {
	which
	Args struct {
		Name    partName `positional-arg-name:"NAME" description:"a CLUSTER instance, by name or port"`
		Workers int      `positional-arg-name:"N" description:"how many workers"`
	} `positional-args:"yes" required:"yes"`
}

func (c *scaleCommand) run(ctx context.Context, s *session, _ []string) error {
	if n := c.Args.Workers; n < 1 || n > layout.MaxWorkers {
		return cli.Usagef("scale: %d workers; accepted are 1 to %d", n, layout.MaxWorkers)
	}
	return s.do(ctx, c.which, []partName{c.Args.Name}, fleet.Action{Verb: fleet.Scale, Workers: c.Args.Workers})
}

type downCommand struct {
	which
	Args someParts `positional-args:"yes"`
}

func (c *downCommand) run(ctx context.Context, s *session, _ []string) error {
	st, err := s.find(c.which)
	if errors.Is(err, errNone) && len(c.Args.Names) == 0 {
		fmt.Fprintf(s.stdout, "Nothing to take down: %v.\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	err = s.do(ctx, which{HTTPPort: port(st.HTTPPort)}, c.Args.Names, fleet.Action{Verb: fleet.Down})
	if err != nil || len(c.Args.Names) > 0 {
		return err
	}
	return awaitEnd(ctx, st.PID)
}

// awaitEnd returns when topology itself has ended too, which it does at once after its last answer.
func awaitEnd(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		table, err := procs.Read()
		if err != nil {
			return err
		}
		if _, lives := table[pid]; !lives {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topology itself (pid %d) has not ended: %w", pid, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
