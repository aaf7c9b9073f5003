// Package report tells one run for people at a terminal: whether anything failed, how fast the answers were, who got
// what share and whether that is what was promised, and what the figures are worth.
//
// The report is a pure function of the record, so loadgen prints the same at the end of a run that results prints a
// year later. What a reader wants to know comes first: the verdict and its reason, failures, latency, shares.
package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/units"
)

// proseWidth is the widest line of a sentence: longer ones are hard to read.
const proseWidth = 100

// Options say how a report looks.
type Options struct {
	Colour  bool // ANSI colours; the text is the same without
	Width   int  // columns that it may use; default console.DefaultWidth
	Verbose bool // the shares of the processes behind each port, too
}

// Text writes the report of r to w.
func Text(w io.Writer, r *run.Record, opt Options) error {
	if opt.Width <= 0 {
		opt.Width = console.DefaultWidth
	}
	p := &page{Options: opt, paint: console.Painter(opt.Colour)}
	p.header(r)
	p.warnings(r)
	p.answers(r)
	p.groups(r.Groups)
	p.session(r.Session)
	p.webSocket(r.WS)
	p.search(r.Search)
	p.routes(r)
	p.histogram(r)
	p.origin(r)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// page is a report being written.
type page struct {
	Options
	b     strings.Builder
	paint console.Painter
}

func (p *page) line(text string) { p.b.WriteString(strings.TrimRight(text, " ") + "\n") }

// wrapped writes text under a hanging label, broken between words.
func (p *page) wrapped(label string, colour console.Style, text string) {
	indent := console.Columns(label)
	for i, part := range console.Wrap(text, max(min(p.Width, proseWidth)-indent, console.MinDrawn)) {
		if i == 0 {
			p.line(p.paint.Paint(colour, label) + part)
		} else {
			p.line(strings.Repeat(" ", indent) + part)
		}
	}
}

// fact writes a named fact.
func (p *page) fact(name string, colour console.Style, text string) {
	p.wrapped(fmt.Sprintf("%-12s", name), colour, text)
}

// table writes t under a title.
func (p *page) table(title string, t *console.Table) {
	p.line("")
	p.line(p.paint.Paint(console.Bold, console.Cut(title, p.Width)))
	t.Fit(p.Width)
	for i, line := range t.Lines() {
		if i == 0 {
			line = p.paint.Paint(console.Dim, line)
		}
		p.line(line)
	}
}

// header writes what was run, and what came of it.
func (p *page) header(r *run.Record) {
	id := console.Cut(console.Clean(r.ID), p.Width/2)
	title := console.Cut(join(cmp.Or(r.Layout, "no layout of ours"), r.Scenario, r.Label, r.Target), p.Width-console.Columns(id)-1)
	gap := p.Width - console.Columns(title) - console.Columns(id)
	p.line(p.paint.Paint(console.Bold, title) + strings.Repeat(" ", gap) + p.paint.Paint(console.Dim, id))
	j := overall(r)
	word, colour := j.word()
	p.wrapped(word+"  ", colour, because(r, j))
}

// warnings writes what the reader must know before any figure.
func (p *page) warnings(r *run.Record) {
	var warnings []string
	if r.Partial {
		warnings = append(warnings, fmt.Sprintf("Partial: the run ended after %s s, before its time.", units.Number(r.Duration)))
	}
	for _, text := range append(warnings, r.Warnings...) {
		p.wrapped("warning: ", console.Yellow, text)
	}
}

// origin writes what the run cost and where it took place.
func (p *page) origin(r *run.Record) {
	p.line("")
	g := r.Generator
	perRequest := g.CPU / float64(max(r.Requests, 1))
	p.fact("generator", console.Dim, fmt.Sprintf("%s of CPU (%s a request) · %s · sent %s of what was due · lag p99 %s",
		seconds(g.CPU), seconds(perRequest), units.Format(float64(g.MaxRSS), units.Bytes), units.Percent(g.SendRatio), seconds(r.ScheduleLag.P99)))
	if c := run.ClocksOf(r.Parts); c.Known {
		p.fact("clocks", console.Dim, fmt.Sprintf("at most %s apart · the %d parts began within %s of each other, by the clock of where they met",
			seconds(c.AtMost.Seconds()), len(r.Parts), seconds((c.Began+c.Slack).Seconds())))
	}
	if s := r.Servers; s != nil {
		p.fact("servers", console.Dim, fmt.Sprintf("%s of CPU (%s a request) · %s · %s %s of CPU",
			seconds(s.CPU), seconds(s.CPUPerRequest), units.Format(float64(s.RSS), units.Bytes), balancer(r), seconds(s.NginxCPU)))
	}
	e := r.Env
	cpu := e.CPU
	if e.Cores > 0 {
		cpu = units.Count(int64(e.Cores), "core") + " " + e.CPU
	}
	label := func(name, value string) string {
		if value == "" {
			return ""
		}
		return name + " " + value
	}
	shares := label("nginx", strings.TrimPrefix(e.Nginx, "nginx/"))
	if e.Balancer != "" && e.Balancer != "nginx" { // of nginx its version is known
		shares = e.Balancer
	}
	env := join(e.OS, strings.TrimSpace(cpu), e.Go, shares,
		label("commit", e.Commit[:min(12, len(e.Commit))]), label("database", e.Database))
	if env != "" {
		p.fact("environment", console.Dim, env)
	}
}

// balancer is the name of what shared the load.
func balancer(r *run.Record) string {
	name, _, _ := strings.Cut(r.Env.Balancer, " ")
	return cmp.Or(name, "nginx")
}

func seconds(v float64) string { return units.Format(v, units.Seconds) }

// measuredAs is the value of an assertion in the unit of its metric: the record has seconds and parts of 1.
func measuredAs(a run.Assert) string {
	if a.Unknown {
		return "not measured"
	}
	name, _, _ := strings.Cut(strings.ReplaceAll(a.Expr, ">", "<"), "<")
	switch strings.TrimSpace(name) {
	case "min", "mean", "p50", "p90", "p95", "p99", "p999", "max", "lag":
		return seconds(a.Value)
	case "errors", "success", "send_ratio", "deviation":
		return units.Percent(a.Value)
	}
	return units.Number(a.Value)
}

// join puts the parts that are not empty together.
func join(parts ...string) string {
	return console.Clean(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · "))
}

// counts is "200 × 1,000 · 302 × 500", by key.
func counts(m map[string]int64) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, key+" × "+units.Number(float64(m[key])))
	}
	return join(parts...)
}
