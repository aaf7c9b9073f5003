package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"balanceo/loadgen/live"
	"balanceo/results/console"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

// run carries the plan out: attack, explain, judge, store, print. Its error says how the run ended for the
// caller of the command.
func (p *plan) run(ctx context.Context, stdout, stderr *os.File) error {
	promise, err := p.findPromise(ctx)
	if err != nil {
		return err
	}
	var r *run.Record
	if p.search != nil {
		r, err = p.findMax(ctx, promise, stderr)
	} else {
		r, err = p.once(ctx, run.NewID(time.Now()), p.rate, promise, stderr)
	}
	if err != nil {
		return err
	}
	r.Env = environment(context.WithoutCancel(ctx), promise.database())
	p.judge(r)
	path, err := run.Write(p.out, r)
	if err != nil {
		return cli.Hint(err, "-out names another folder")
	}
	if err := p.print(stdout, stderr, r, path); err != nil {
		return err
	}
	return p.verdict(r)
}

// once measures at one rate and explains what was measured.
func (p *plan) once(ctx context.Context, id string, rate float64, promise *promise, stderr *os.File) (*run.Record, error) {
	if err := p.prepare(ctx, id); err != nil {
		return nil, err
	}
	w := promise.watch(ctx, p, agent(id))
	view := p.view(promise, stderr)
	m, err := p.act(ctx, id, rate, view)
	view.Stop()
	if err != nil {
		return nil, err
	}
	// What was measured is explained even when the attack was interrupted.
	ctx = context.WithoutCancel(ctx)
	m.record.Layout = promise.layoutName()
	w.explain(ctx, m)
	return m.record, nil
}

// view is the live view of one attack; nil with -quiet.
func (p *plan) view(promise *promise, stderr *os.File) *live.View {
	if p.quiet {
		return nil
	}
	opt := live.Options{
		Terminal: cli.IsTerminal(stderr), Colour: cli.Colour(stderr), Warmup: p.warmup, Total: p.warmup + p.duration,
		Expected: promise.share, Name: promise.instance,
	}
	if width, _, err := term.GetSize(int(stderr.Fd())); err == nil {
		opt.Width = width
	}
	return live.Start(stderr, opt)
}

// judge checks the assertions.
func (p *plan) judge(r *run.Record) {
	for _, c := range p.asserts {
		value, holds, err := c.Check(r)
		if err != nil {
			r.Warnings = append(r.Warnings, "Not checked: "+err.Error()+".")
		}
		r.Asserts = append(r.Asserts, run.Assert{Expr: c.Text, Value: value, Passed: holds})
	}
}

func (p *plan) print(stdout, stderr *os.File, r *run.Record, path string) error {
	if p.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("print run record %q: %w", r.ID, err)
		}
		if !p.quiet {
			fmt.Fprintln(stderr, "record", path)
		}
		return nil
	}
	if err := report.Text(stdout, r, report.Options{Colour: cli.Colour(stdout), Width: console.Width(stdout, console.DefaultWidth)}); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	_, err := io.WriteString(stdout, "record      "+path+"\n")
	return err
}

// verdict is how the run ended: an error for the caller of the command, or nil.
func (p *plan) verdict(r *run.Record) error {
	if p.acting == "" && r.Responses == 0 {
		return cli.Hint(noAnswer(r), "is the layout up? `topology status` tells, `make topology` starts it")
	}
	if r.Search != nil && r.Partial {
		return fmt.Errorf("-find-max %s was interrupted before a rate was confirmed", r.Search.SLO)
	}
	var reasons []string
	for _, g := range r.Groups {
		if g.Verdict == run.Fail {
			reasons = append(reasons, "group "+g.Name+" is not shared as nginx.conf promises")
		}
	}
	for _, a := range r.Asserts {
		if !a.Passed {
			reasons = append(reasons, "-assert "+a.Expr+" does not hold")
		}
	}
	reasons = append(reasons, actingReasons(r)...)
	if r.Search != nil && !r.Search.Confirmed {
		reasons = append(reasons, "-find-max "+r.Search.SLO+" found no rate that holds")
	}
	if len(reasons) > 0 {
		return &cli.VerdictError{Reason: strings.Join(reasons, "; ")}
	}
	return nil
}

func noAnswer(r *run.Record) error {
	if len(r.Errors) == 0 {
		return errors.New("no request was sent in the measured part")
	}
	classes := make([]string, len(r.Errors))
	for i, e := range r.Errors {
		classes[i] = fmt.Sprintf("%s × %d", e.Class, e.Count)
	}
	return fmt.Errorf("target %q: no request was answered: %s", r.Target, strings.Join(classes, ", "))
}
