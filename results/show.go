package main

import (
	"cmp"

	"balanceo/results/console"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

type showCommand struct {
	JSON    bool `long:"json" description:"print the record"`
	Verbose bool `short:"v" long:"verbose" description:"tell how the processes behind each port shared its requests, too"`
	Args    struct {
		Run string `positional-arg-name:"RUN" description:"an id, an unambiguous beginning of one, or latest (default)"`
	} `positional-args:"yes"`

	c *command
}

// Execute is called by go-flags.
func (s *showCommand) Execute(rest []string) error {
	if len(rest) > 0 {
		return cli.Usagef("show %q: one RUN is accepted", rest[0])
	}
	runs, _, err := s.c.load()
	if err != nil {
		return err
	}
	r, err := s.c.resolve(runs, cmp.Or(s.Args.Run, run.Latest))
	if err != nil {
		return err
	}
	if s.JSON {
		return run.WriteJSON(s.c.stdout, r)
	}
	return report.Text(s.c.stdout, r, report.Options{Colour: s.c.colour, Width: console.Width(s.c.stdout, console.DefaultWidth), Verbose: s.Verbose})
}
