package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"balanceo/results/export"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

type exportCommand struct {
	Format string `long:"format" value-name:"FORMAT" required:"yes" description:"csv, hgrm (HdrHistogram's percentiles), prom (Prometheus text) or benchfmt (for benchstat)"`
	Out    string `short:"o" long:"out" value-name:"FILE" description:"write there instead of standard output"`
	Filter filter `group:"Filter"`
	Args   struct {
		Runs []string `positional-arg-name:"RUN" description:"which runs (default: all that pass the filter; hgrm: latest)"`
	} `positional-args:"yes"`

	c *command
}

// Execute is called by go-flags.
func (e *exportCommand) Execute([]string) error {
	format, ok := export.Formats()[e.Format]
	if !ok {
		return cli.Usagef("--format %q: accepted are %s", e.Format, strings.Join(slices.Sorted(maps.Keys(export.Formats())), ", "))
	}
	refs := e.Args.Runs
	if len(refs) == 0 && e.Format == "hgrm" && !e.Filter.given() {
		refs = []string{run.Latest}
	}
	runs, err := e.Filter.choose(e.c, refs)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := format(&b, runs); err != nil {
		err = fmt.Errorf("export %s: %w", e.Format, err)
		if errors.Is(err, run.ErrNoHistogram) {
			return cli.Hint(err, "it keeps single quantiles only: --format csv has them")
		}
		return err
	}
	return writeOut(e.c.stdout, e.Out, b.Bytes())
}

// writeOut writes a file whole, or to stdout where no file is named.
func writeOut(stdout io.Writer, path string, data []byte) error {
	if path == "" || path == "-" {
		if _, err := stdout.Write(data); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return cli.Usagef("-o %q: is a folder, a file is accepted", path)
	}
	write := func() error { return renameio.WriteFile(path, data, 0o644) }
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // as /dev/stdout, which is not to be replaced by a file
		write = func() error { return os.WriteFile(path, data, 0o644) }
	}
	if err := write(); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}
