package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"balanceo/loadgen/environment"
	"balanceo/loadgen/live"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/promise"
	"balanceo/loadgen/scenario"
	"balanceo/results/console"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/topology/cli"
	"balanceo/topology/layout"
)

// run carries the plan out: attack, explain, judge, store, print. Its error says how the run ended for the
// caller of the command.
func (p *plan) run(ctx context.Context, schedule pace.Schedule, stdout, stderr *os.File) error {
	if err := run.Writable(p.out); err != nil {
		return cli.Hint(err, "-out names another folder")
	}
	promised := p.expected
	if promised == nil {
		var err error
		if promised, err = promise.Find(ctx, p.target.URL(), p.nginxConf); err != nil {
			return err
		}
	}
	if err := p.meetBefore(ctx, promised); err != nil {
		return err
	}
	w, err := p.watchers(ctx)
	if err != nil {
		return err
	}
	var r *run.Record
	if p.search != nil {
		r, err = p.findMax(ctx, promised, stderr)
	} else {
		r, err = p.once(ctx, schedule, promised, w, stderr)
	}
	incomplete := w.close() // what others were to get; the record does not need it
	if err != nil {
		return errors.Join(err, incomplete)
	}
	r.Env = environment.Read(context.WithoutCancel(ctx), environment.Place{
		Here: !p.remote(), Ours: promised.Layout != nil, Database: promised.Database(), Balancer: promised.Balancer(),
	})
	p.judge(r)
	path, err := run.Write(p.out, r)
	if err != nil {
		return cli.Hint(err, "-out names another folder")
	}
	if err := errors.Join(p.print(stdout, stderr, r, path), incomplete); err != nil {
		return err
	}
	return p.verdict(r)
}

// once measures by that schedule and explains what was measured.
func (p *plan) once(ctx context.Context, schedule pace.Schedule, promised *promise.Promise, others *watchers, stderr *os.File) (*run.Record, error) {
	id := cmp.Or(os.Getenv(layout.EnvRunID), run.NewID(time.Now()))
	l, err := p.load(ctx, id)
	if err != nil {
		return nil, err
	}
	w := p.watch(ctx, promised, l.uris(), agent(id))
	view := p.view(promised, stderr)
	var d *decider
	attacked := ctx
	if p.decided {
		attacked, d = newDecider(ctx, promised.Share, p.warmup)
		defer d.end()
		others = others.and(d)
	}
	var m *measurement
	if l.Name == scenario.WebSocket && p.signsUp() {
		m, err = p.measureSockets(attacked, id, l, schedule, view)
	} else {
		m, err = p.measure(attacked, id, l, schedule, view, others)
	}
	view.Stop()
	if err != nil {
		return nil, err
	}
	// What was measured is explained even when the attack was interrupted.
	ctx = context.WithoutCancel(ctx)
	m.record.Layout = promised.LayoutName()
	p.meetAfter(ctx)
	w.explain(ctx, m)
	if d != nil {
		d.note(m.record)
	}
	return m.record, nil
}

// view is the live view of one attack; nil with -quiet.
func (p *plan) view(promised *promise.Promise, stderr *os.File) *live.View {
	if p.quiet {
		return nil
	}
	return live.Start(stderr, live.Options{
		Terminal: cli.IsTerminal(stderr), Colour: cli.Colour(stderr), Width: console.Width(stderr, 0), Warmup: p.warmup, Total: p.warmup + p.duration,
		Expected: promised.Share, Name: promised.Instance,
	})
}

// judge checks the assertions.
func (p *plan) judge(r *run.Record) {
	for _, c := range p.asserts {
		value, holds, err := c.Check(r)
		if err != nil {
			r.Warnings = append(r.Warnings, "Not checked: "+err.Error()+".")
		}
		r.Asserts = append(r.Asserts, run.Assert{Expr: c.Text, Value: value, Passed: holds, Unknown: err != nil})
	}
}

func (p *plan) print(stdout, stderr *os.File, r *run.Record, path string) error {
	if p.json {
		if err := run.WriteJSON(stdout, r); err != nil {
			return err
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
