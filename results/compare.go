package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"balanceo/results/compare"
	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

type compareCommand struct {
	choice
	JSON bool `long:"json" description:"print one JSON document"`

	c *command
}

// Execute is called by go-flags.
func (cc *compareCommand) Execute([]string) error {
	if cc.By == "" && len(cc.Args.Runs)+len(cc.Vs) == 0 {
		return cli.Usagef("compare: name what to compare: --by KEY (for example --by layout), or RUN… --vs RUN…")
	}
	sets, by, err := cc.sets(cc.c)
	if err != nil {
		return err
	}
	if len(sets) < 2 {
		return cli.Hint(fmt.Errorf("nothing to compare with: all %d runs are in one set, %q", len(sets[0].Runs), sets[0].Name),
			"name runs before and after --vs, or another key with --by")
	}
	tables, err := cc.tables(sets, by)
	if err != nil {
		return err
	}
	if cc.JSON {
		return run.WriteJSON(cc.c.stdout, struct {
			Tables []*compare.Table `json:"tables"`
		}{tables})
	}
	return writeTables(cc.c.stdout, tables)
}

func writeTables(w io.Writer, tables []*compare.Table) error {
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := writeTable(w, t); err != nil {
			return err
		}
	}
	return nil
}

func writeTable(w io.Writer, t *compare.Table) error {
	by := ""
	if t.By != "" && t.By != "side" {
		by = t.By + ": "
	}
	pairs := fmt.Sprintf("%d and %d runs, %d pairs", len(t.Base.Runs), len(t.Other.Runs), t.Pairs)
	if t.Interleaved {
		pairs += " taken in turn"
	}
	fmt.Fprintf(w, "%s%s against %s  (%s)\n\n", by, t.Other.Name, t.Base.Name, pairs)
	g := &console.Table{Gap: 2, Columns: []console.Column{
		console.Left("", 0), console.Right(t.Base.Name, 2), console.Right(t.Other.Name, 1), console.Right("CHANGE", 0),
		console.Left("INTERVAL", 3), console.Right("P", 4), console.Right("PAIRS", 5), console.Left("RESULT", 0),
	}}
	for i := range t.Rows {
		g.Add(t.Rows[i].Cells()...)
	}
	if err := g.Write(w); err != nil {
		return err
	}
	var lines []string
	for _, note := range append(t.Method(), t.Notes...) {
		lines = append(lines, "  "+strings.Join(console.Wrap(note, console.Width(w, math.MaxInt)-4), "\n    "))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(lines, "\n"))
	return err
}
