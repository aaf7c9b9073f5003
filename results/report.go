package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"balanceo/results/compare"
	"balanceo/results/page"
	"balanceo/topology/cli"
)

type reportCommand struct {
	choice
	Format string `long:"format" value-name:"FORMAT" default:"html" description:"html or md (Markdown, for a pull request)"`
	Out    string `short:"o" long:"out" value-name:"FILE" description:"the file to write (md: default standard output)"`

	c *command
}

// Execute is called by go-flags.
func (rc *reportCommand) Execute([]string) error {
	if rc.Format != "html" && rc.Format != "md" {
		return cli.Usagef("--format %q: accepted are html, md", rc.Format)
	}
	if rc.Out == "" && rc.Format == "html" {
		return cli.Usagef("-o: name the file to write, for example -o report.html (- for standard output)")
	}
	sets, by, err := rc.sets(rc.c)
	if err != nil {
		return err
	}
	tables, err := rc.tables(sets, by)
	if err != nil {
		return err
	}
	if err := writePage(rc.c.stdout, rc.Format, rc.Out, sets, tables); err != nil {
		return err
	}
	if rc.Out != "" && rc.Out != "-" {
		fmt.Fprintln(rc.c.stdout, rc.Out)
	}
	return nil
}

func writePage(stdout io.Writer, format, path string, sets []compare.Set, tables []*compare.Table) error {
	var b bytes.Buffer
	in := page.Input{Sets: sets, Tables: tables, Now: time.Now()}
	write := page.HTML
	if format == "md" {
		write = page.Markdown
	}
	if err := write(&b, in); err != nil {
		return err
	}
	return writeOut(stdout, path, b.Bytes())
}
