package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"balanceo/topology/cli"
	"balanceo/topology/control"
	"balanceo/topology/keeper"
	"balanceo/topology/ports"
	"balanceo/topology/ui"
)

// livePage is the page that a plan shows its layout on.
type livePage struct {
	page *ui.Page
	load *ui.Load // to begin with; nil: none
}

// listenUI takes the address of the live page, if there is to be one. With --free-ports another one will do.
func (p *plan) listenUI(addr string) error {
	if addr == "" {
		return nil
	}
	page, err := ui.Listen(addr)
	var taken *ports.TakenError
	if errors.As(err, &taken) && p.freeUI {
		p.changes = append(p.changes, fmt.Sprintf("%v; the live page uses another one", err))
		page, err = ui.Listen("127.0.0.1:0")
	}
	switch {
	case errors.As(err, &taken):
		return cli.Hint(fmt.Errorf("live page: %w", err), "--ui=127.0.0.1:PORT puts it elsewhere")
	case err != nil:
		return cli.Usagef("--ui: %w", err)
	}
	p.live = &livePage{page: page}
	p.Page = page.URL()
	return nil
}

// serve shows the layout until ctx is done. It returns at once; wait returns when nothing goes on any more.
func (l *livePage) serve(ctx context.Context, k *keeper.Keeper, runDir string) (wait func()) {
	if l == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		state := k.State()
		cfg := ui.Config{
			Keeper: control.NewClient(state.Control), State: state, Loadgen: findLoadgen(), Load: l.load, RunDir: runDir, Log: k.Note,
		}
		if err := l.page.Serve(ctx, cfg); err != nil && ctx.Err() == nil {
			k.Note(err.Error())
		}
	}()
	return func() { <-done }
}

func (l *livePage) close() {
	if l != nil {
		_ = l.page.Close() // it may be so already
	}
}

type uiCommand struct {
	which
	Args struct {
		Addr string `positional-arg-name:"ADDR" description:"where the page is to be (127.0.0.1:8089)"`
	} `positional-args:"yes"`
}

// run shows a layout that runs already.
func (c *uiCommand) run(ctx context.Context, s *session, rest []string) error {
	if len(rest) > 0 {
		return cli.Usagef("ui %q: accepted is one address", rest[0])
	}
	st, err := s.find(c.which)
	if err != nil {
		return err
	}
	if st.Page != "" && c.Args.Addr == "" {
		fmt.Fprintf(s.stdout, "Layout %s on :%d is shown at %s already.\n", st.Layout, st.HTTPPort, st.Page)
		return nil
	}
	page, err := ui.Listen(cmp.Or(c.Args.Addr, ui.DefaultAddr))
	var taken *ports.TakenError
	switch {
	case errors.As(err, &taken):
		return cli.Hint(err, "topology ui 127.0.0.1:PORT puts the page elsewhere")
	case err != nil:
		return cli.Usagef("ui: %w", err)
	}
	fmt.Fprintf(s.stdout, "Layout %s on :%d is shown at %s\nCtrl-C ends that.\n", st.Layout, st.HTTPPort, page.URL())
	err = page.Serve(ctx, ui.Config{
		Keeper: control.NewClient(st.Control), State: st, Loadgen: findLoadgen(), RunDir: s.common.runDir(),
		Log: func(text string) { fmt.Fprintln(s.stdout, text) },
	})
	if err == nil && ctx.Err() == nil {
		fmt.Fprintf(s.stdout, "Layout %s is down.\n", st.Layout)
	}
	return err
}

type demoCommand struct {
	upFlags
	UI     string `long:"ui" value-name:"ADDR" default:"127.0.0.1:8089" description:"where the live page is to be"`
	Rate   int    `long:"rate" value-name:"N" default:"200" description:"requests per second to begin with; 0: none"`
	Lesson int    `long:"lesson" value-name:"N" description:"begin with this lesson"`
}

const demoHelp = "Starts a layout with a steady load and a live page of both, and prints the page's address. Where a port is taken " +
	"it uses another. Ctrl-C ends everything."

// run keeps the layout in the foreground and says no more than what to open.
func (c *demoCommand) run(ctx context.Context, s *session, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("demo %q: accepted are only flags", args[0])
	}
	if n := len(ui.Lessons()); c.Lesson < 0 || c.Lesson > n {
		return cli.Usagef("--lesson %d: accepted are 1 to %d", c.Lesson, n)
	}
	c.FreePorts = true
	p, err := c.newPlan(s.common.runDir())
	if err != nil {
		return err
	}
	if err := p.listenUI(cmp.Or(c.UI, ui.DefaultAddr)); err != nil {
		return err
	}
	if c.Rate > 0 && findLoadgen() != "" {
		p.live.load = &ui.Load{Rate: c.Rate, Minutes: 30}
	}
	for _, change := range p.changes {
		fmt.Fprintln(s.stderr, change)
	}
	return withLog(p.keep(ctx, func(_ context.Context, _ *keeper.Keeper, broken []error) error {
		for _, err := range broken {
			cli.Report(s.stderr, "topology", err)
		}
		url := p.Page
		if c.Lesson > 0 {
			url += fmt.Sprintf("#lesson-%d", c.Lesson)
		}
		fmt.Fprintf(s.stdout, "%s\n", url)
		fmt.Fprintln(s.stderr, "Open it in a browser. Ctrl-C ends everything.")
		return nil
	}))
}
