package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/cli"
	"balanceo/topology/control"
	"balanceo/topology/fleet"
	"balanceo/topology/keeper"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/status"
	"balanceo/topology/watch"
)

const upHelp = "Starts the instances of a layout, a balancer in front of them and, unless MONGO_URL names another, the embedded " +
	"database; keeps them running until it is ended, by Ctrl-C or by topology down."

type upCommand struct {
	upFlags
	Detach bool   `short:"d" long:"detach" description:"leave the layout running in the background, once everything answers"`
	UI     string `long:"ui" value-name:"ADDR" optional:"yes" optional-value:"127.0.0.1:8089" description:"show the layout on a live page, at 127.0.0.1:8089 unless --ui=ADDR says otherwise"`
	Watch  bool   `long:"watch" description:"on a change of the sources, build server and reload the instances if that succeeds"`
}

func (c *upCommand) run(ctx context.Context, s *session, _ []string) error {
	p, err := c.newPlan(s.common.runDir())
	if err != nil {
		return err
	}
	if c.Watch {
		if p.WatchRoot, err = watch.ModuleRoot("."); err != nil {
			return cli.Hint(fmt.Errorf("--watch needs the sources of server: %w", err), "start topology in the project's folder")
		}
	}
	if pipe := detachedReport(); pipe != nil {
		p.ui = c.UI
		return c.keepDetached(ctx, p, pipe)
	}
	if !c.FreePorts {
		if runs, err := c.runsAlready(ctx, s, p); runs || err != nil {
			return err
		}
	}
	if !c.Detach {
		if err := p.listenUI(c.UI); err != nil {
			return err
		}
		return c.keepHere(ctx, s, p)
	}
	for _, change := range p.changes {
		fmt.Fprintln(s.stdout, change)
	}
	up, failed := detach(ctx, s, p, c.resolved(p))
	if up { // come what may
		err = s.showUp(context.WithoutCancel(ctx), s.stdout, p.runDir, p.Layout.HTTPPort)
	}
	for _, f := range failed {
		if err != nil {
			cli.Report(s.stderr, "topology", err)
		}
		err = f
	}
	return err
}

// keepHere keeps the layout in the foreground and shows what happens. Who keeps it never waits for the terminal.
func (c *upCommand) keepHere(ctx context.Context, s *session, p *plan) error {
	out := newSpool(s.stdout)
	defer out.close(time.Second)
	for _, change := range p.changes {
		fmt.Fprintln(out, change)
	}
	p.Event = func(e fleet.Event) { fmt.Fprintln(out, e.Line()) }
	return withLog(p.keep(ctx, func(ctx context.Context, _ *keeper.Keeper, broken []error) error {
		if err := s.showUp(ctx, out, p.runDir, p.Layout.HTTPPort); err != nil {
			return err
		}
		for _, err := range broken {
			cli.Report(out, "topology", err)
		}
		fmt.Fprintln(out, "\nCtrl-C takes the layout down.")
		return nil
	}))
}

// resolved are the arguments that start just what p says.
func (c *upCommand) resolved(p *plan) []string {
	args := []string{
		"up", "--run-dir", p.runDir, "--layout", string(c.Layout), "--server-bin", p.Server, "--balancer", p.Balancer.Name(), "--balancer-bin", p.Program,
		"--http-port", strconv.Itoa(p.Layout.HTTPPort), "--base-port", strconv.Itoa(p.Layout.LowestPort()), "--grace", c.Grace.String(),
	}
	if c.Watch {
		args = append(args, "--watch")
	}
	if c.UI != "" {
		args = append(args, "--ui="+c.UI)
	}
	return args
}

// withLog adds to the failure of a part the last lines that it wrote.
func withLog(err error) error {
	var failed *fleet.PartError
	if !errors.As(err, &failed) {
		return err
	}
	lines, logErr := logs.Last(failedLines, logs.Source{Name: failed.Name, Path: failed.Log})
	if logErr != nil || len(lines) == 0 {
		return cli.Hint(err, "its log is %s", failed.Log)
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "\n  %s", l.Text)
	}
	return cli.Hint(err, "the last lines of %s:%s", failed.Log, b.String())
}

// failedLines is how much of its log is shown of a part that does not start.
const failedLines = 8

// runsAlready tells people about the layout on the ports of p, if one runs there.
func (c *upCommand) runsAlready(ctx context.Context, s *session, p *plan) (bool, error) {
	running, ok, err := layout.FindByTarget(p.runDir, fmt.Sprintf(":%d", p.Layout.HTTPPort))
	if err != nil || !ok {
		return false, err
	}
	if running.Layout != p.Layout.Name {
		return true, p.otherRuns(running)
	}
	fmt.Fprintf(s.stdout, "Layout %s runs on :%d already, as pid %d; nothing was changed.\n\n",
		running.Layout, running.HTTPPort, running.PID)
	return true, s.showUp(ctx, s.stdout, p.runDir, p.Layout.HTTPPort)
}

// showUp prints the table and what can be done next.
func (s *session) showUp(ctx context.Context, w io.Writer, runDir string, httpPort int) error {
	state, ok, err := layout.FindByTarget(runDir, fmt.Sprintf(":%d", httpPort))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("the layout on :%d does not answer any more", httpPort)
	}
	snapshot, err := control.NewClient(state.Control).Status(ctx, true)
	if err != nil {
		return err
	}
	if err := status.Text(w, snapshot, s.look()); err != nil {
		return err
	}
	which := ""
	if states, err := layout.Running(runDir); err == nil && len(states) > 1 {
		which = fmt.Sprintf(" --http-port %d", httpPort)
	}
	if state.Page != "" {
		fmt.Fprintf(w, "\nThe live page: %s\n", state.Page)
	}
	_, err = fmt.Fprintf(w, `
Next:
  loadgen -rate 200 -target :%d
  curl -i http://127.0.0.1:%d/info
  topology status%s
  topology logs -f%s
  topology down%s
`, httpPort, httpPort, which, which, which)
	return err
}

type runCommand struct {
	upFlags
}

func (c *runCommand) run(ctx context.Context, s *session, args []string) error {
	if len(args) == 0 {
		return cli.Usagef("run: no command was given; accepted is topology run [flags] -- COMMAND [arguments]")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return cli.Usagef("run: %w; accepted is a program after --", err)
	}
	p, err := c.newPlan(s.common.runDir())
	if err != nil {
		return err
	}
	for _, change := range p.changes {
		fmt.Fprintln(s.stderr, "topology:", change)
	}
	fmt.Fprintf(s.stderr, "topology: starting layout %s on :%d\n", p.Layout.Name, p.Layout.HTTPPort)
	var ended error
	ran := false
	err = p.keep(ctx, func(ctx context.Context, k *keeper.Keeper, broken []error) error {
		if len(broken) > 0 {
			return broken[0] // what is found out about half a layout is worth nothing
		}
		ran, ended = true, c.command(ctx, s, p, path, args)
		k.TakeDown()
		return nil
	})
	if !ran {
		return withLog(err)
	}
	// A layout that had to be ended the hard way is worth a word; what counts is how the command ended.
	cli.Report(s.stderr, "topology", err)
	return ended
}

// command runs COMMAND until it ends. A signal that came to topology alone is passed on; what a terminal
// sends, COMMAND gets by itself.
func (c *runCommand) command(ctx context.Context, s *session, p *plan, path string, args []string) error {
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.stdin, s.stdout, s.stderr
	cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=:%d", layout.EnvTarget, p.Layout.HTTPPort), layout.EnvRun+"="+p.runDir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &commandError{exit}
	}
	return fmt.Errorf("run %q: %w", filepath.Base(path), err)
}

// commandError is the end of a COMMAND that did not succeed.
type commandError struct{ *exec.ExitError }

// code is what a shell would say of it.
func (e *commandError) code() int {
	if s, ok := e.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return e.ExitCode()
}
