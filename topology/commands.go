package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"balanceo/results/console"
	"balanceo/topology/cli"
	"balanceo/topology/control"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/monitor"
	"balanceo/topology/status"
)

// errNone is what commands say when there is nothing to act on.
var errNone = errors.New("no layout is running")

// find returns the running layout that a command is for: the only one, or the one on that HTTP port.
func (s *session) find(w which) (layout.State, error) {
	runDir := s.common.runDir()
	states, err := layout.Running(runDir)
	if err != nil {
		return layout.State{}, err
	}
	var on []string
	for _, st := range states {
		if int(w.HTTPPort) == st.HTTPPort || w.HTTPPort == 0 && len(states) == 1 {
			return st, nil
		}
		on = append(on, fmt.Sprintf("%d (%s)", st.HTTPPort, st.Layout))
	}
	switch {
	case len(states) == 0:
		return layout.State{}, cli.Hint(fmt.Errorf("%w under %s", errNone, runDir), "topology up -d starts one")
	case w.HTTPPort == 0:
		return layout.State{}, cli.Usagef("several layouts run: choose one with --http-port; accepted are %s",
			strings.Join(on, ", "))
	}
	return layout.State{}, cli.Hint(fmt.Errorf("%w on :%d under %s", errNone, w.HTTPPort, runDir),
		"layouts run on %s", strings.Join(on, ", "))
}

// look is how things are shown on standard output.
func (s *session) look() status.Look {
	return status.Look{Colour: cli.Colour(s.stdout), Width: console.Width(s.stdout, 0)}
}

type statusCommand struct {
	which
	JSON   bool `long:"json" description:"print one JSON document"`
	Follow bool `short:"f" long:"follow" description:"show it anew every second; on a terminal with curves and logs"`
}

func (c *statusCommand) run(ctx context.Context, s *session, _ []string) error {
	st, err := s.find(c.which)
	if err != nil {
		return err
	}
	client := control.NewClient(st.Control)
	if c.Follow && !c.JSON && cli.IsTerminal(s.stdin) && cli.IsTerminal(s.stdout) {
		sources, err := (&logsCommand{}).sources(st)
		if err != nil {
			return err
		}
		return monitor.Run(ctx, monitor.Config{
			In: s.stdin, Out: s.stdout, Colour: cli.Colour(s.stdout), Status: client.Status, Logs: sources,
		})
	}
	for {
		snapshot, err := client.Status(ctx, true)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // Ctrl-C is how following ends
		}
		switch {
		case err != nil:
			return err
		case c.JSON:
			out := json.NewEncoder(s.stdout)
			if !c.Follow {
				out.SetIndent("", "  ")
			}
			err = out.Encode(snapshot)
		default:
			err = status.Text(s.stdout, snapshot, s.look())
		}
		if err != nil || !c.Follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

type logsCommand struct {
	which
	Follow bool      `short:"f" long:"follow" description:"go on with what is written from now on"`
	Lines  uint      `short:"n" long:"lines" value-name:"N" default:"50" description:"how many lines at first"`
	Args   someParts `positional-args:"yes"`
}

// topologyName is the log of topology itself.
const topologyName = "topology"

func (c *logsCommand) run(ctx context.Context, s *session, _ []string) error {
	st, err := s.find(c.which)
	if err != nil {
		return err
	}
	sources, err := c.sources(st)
	if err != nil {
		return err
	}
	lines, err := logs.Last(int(c.Lines), sources...)
	if err != nil {
		return err
	}
	show := c.printer(s, sources)
	for _, l := range lines {
		show(l)
	}
	if !c.Follow {
		return nil
	}
	return logs.Follow(ctx, show, sources...)
}

func (c *logsCommand) sources(st layout.State) ([]logs.Source, error) {
	var names []string
	var parts []partName
	for _, name := range c.Args.Names {
		if name == topologyName {
			names = append(names, topologyName)
			continue
		}
		parts = append(parts, name)
	}
	chosen, err := checkNames(st, parts)
	if err != nil {
		return nil, err
	}
	if names = append(names, chosen...); len(names) == 0 {
		names = append(partNames(st), topologyName)
	}
	var sources []logs.Source
	for _, name := range names {
		sources = append(sources, logs.Source{Name: name, Path: filepath.Join(st.Dir, "logs", name+".log")})
		if name == st.Balancer {
			sources = append(sources, logs.Source{Name: name, Path: filepath.Join(st.NginxDir, "error.log")})
		}
	}
	return sources, nil
}

// printer writes lines with the name of their log, in a colour of its own.
func (c *logsCommand) printer(s *session, sources []logs.Source) func(logs.Line) {
	colours := map[string]int{}
	width := 0
	for _, src := range sources {
		width = max(width, len(src.Name))
		if _, ok := colours[src.Name]; !ok {
			colours[src.Name] = 31 + len(colours)%6
		}
	}
	colour := cli.Colour(s.stdout)
	return func(l logs.Line) {
		at := "            "
		if !l.Time.IsZero() {
			at = l.Time.Local().Format("15:04:05.000")
		}
		if colour {
			fmt.Fprintf(s.stdout, "%s \x1b[%dm%-*s\x1b[0m  %s\n", at, colours[l.Source], width, l.Source, l.Text)
			return
		}
		fmt.Fprintf(s.stdout, "%s %-*s  %s\n", at, width, l.Source, l.Text)
	}
}
