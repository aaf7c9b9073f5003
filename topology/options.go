package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jessevdk/go-flags"

	"balanceo/topology/cli"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
)

// common are the flags of every command.
type common struct {
	RunDir  string `long:"run-dir" value-name:"DIR" description:"where running layouts have their folders (default: $BALANCEO_RUN, else run)"`
	Version bool   `long:"version" description:"Show the version"`
}

func (c *common) runDir() string { return cmp.Or(c.RunDir, layout.DefaultRunDir()) }

// which chooses a running layout.
type which struct {
	HTTPPort port `long:"http-port" value-name:"PORT" description:"the layout whose nginx listens there, where several run"`
}

// port is a TCP port given as a flag.
type port int

// UnmarshalFlag implements flags.Unmarshaler.
func (p *port) UnmarshalFlag(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is no port; accepted are 1 to 65535", text)
	}
	*p = port(n)
	return nil
}

// signalName is a signal given as a flag: a name with or without SIG, or a number.
type signalName string

// UnmarshalFlag implements flags.Unmarshaler.
func (s *signalName) UnmarshalFlag(text string) error {
	_, err := fleet.ParseSignal(text)
	*s = signalName(strings.TrimPrefix(strings.ToUpper(text), "SIG"))
	return err
}

// Complete implements flags.Completer.
func (s *signalName) Complete(match string) []flags.Completion {
	return completions(fleet.SignalNames(), strings.ToUpper(match))
}

// spanOfTime is a time given as a flag or an argument.
type spanOfTime struct{ fleet.Duration }

// UnmarshalFlag implements flags.Unmarshaler.
func (t *spanOfTime) UnmarshalFlag(text string) error {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return &cli.UsageError{Err: err}
	}
	return nil
}

// layoutName is a layout given as a flag: a built-in name or a file.
type layoutName string

// Complete implements flags.Completer.
func (l *layoutName) Complete(match string) []flags.Completion {
	var file flags.Filename
	return append(completions(layout.Names(), match), file.Complete(match)...)
}

// partName is a part of a running layout given as an argument.
type partName string

// Complete implements flags.Completer. It knows the parts of every layout that runs.
func (p *partName) Complete(match string) []flags.Completion {
	states, err := layout.Running(layout.DefaultRunDir())
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range states {
		for _, name := range partNames(s) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return completions(names, match)
}

func completions(names []string, match string) []flags.Completion {
	var out []flags.Completion
	for _, name := range names {
		if strings.HasPrefix(name, match) {
			out = append(out, flags.Completion{Item: name})
		}
	}
	return out
}

// partNames lists what commands can act on.
func partNames(s layout.State) []string {
	var names []string
	for _, in := range s.Instances {
		names = append(names, in.Name)
	}
	names = append(names, s.Balancer)
	if s.Database == layout.EmbeddedDatabase {
		names = append(names, layout.DatabaseName)
	}
	return names
}

// checkNames turns names and ports into names of parts.
func checkNames(s layout.State, given []partName) ([]string, error) {
	known := partNames(s)
	var out []string
	for _, g := range given {
		name := string(g)
		if in, ok := s.Find(name); ok {
			name = in.Name
		}
		if !slices.Contains(known, name) {
			return nil, cli.Usagef("%q is no part of layout %s; accepted are %s, or an instance's port",
				g, s.Layout, strings.Join(known, ", "))
		}
		out = append(out, name)
	}
	return out, nil
}
