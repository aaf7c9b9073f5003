// Package report tells one run for people at a terminal: who got what share and whether that is what
// nginx.conf promises, how fast the answers were, what failed, and what the figures are worth.
//
// The report is a pure function of the record, so loadgen prints the same at the end of a run that results
// prints a year later. It fits 100 columns. What would make the other figures worthless comes first.
package report

import (
	"fmt"
	"io"
	"strings"

	"balanceo/results/run"
)

// Width is how many columns a report has at most.
const Width = 100

// Options say how a report looks.
type Options struct {
	Colour bool // ANSI colours; the text is the same without
}

// Text writes the report of r to w.
func Text(w io.Writer, r *run.Record, opt Options) error {
	p := &page{paint: painter(opt.Colour)}
	p.header(r)
	p.warnings(r)
	p.groups(r.Groups)
	p.session(r.Session)
	p.webSocket(r.WS)
	p.search(r.Search)
	p.routes(r)
	p.outcome(r)
	p.asserts(r.Asserts)
	p.verdict(r)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// page is a report being written.
type page struct {
	b     strings.Builder
	paint painter
}

func (p *page) line(text string) { p.b.WriteString(strings.TrimRight(text, " ") + "\n") }

// wrapped writes text under a hanging label, broken between words.
func (p *page) wrapped(label string, colour style, text string) {
	indent := columns(label)
	for i, part := range wrap(text, Width-indent) {
		if i == 0 {
			p.line(p.paint.as(colour, label) + part)
		} else {
			p.line(strings.Repeat(" ", indent) + part)
		}
	}
}

// between writes left and right at the two ends of a line.
func (p *page) between(left, right string, colour style) {
	right = cut(right, Width/2)
	left = cut(left, Width-columns(right)-1)
	gap := Width - columns(left) - columns(right)
	p.line(p.paint.as(bold, left) + strings.Repeat(" ", gap) + p.paint.as(colour, right))
}

func (p *page) header(r *run.Record) {
	title := join(" · ", or(r.Layout, "no layout of ours"), r.Scenario, r.Label, r.Target)
	p.between(title, clean(r.ID), dim)
	what := "requests"
	if r.WS != nil {
		what = "products"
	}
	asked := "as many " + what + " as it could send"
	if r.RequestedRate > 0 {
		asked = number(r.RequestedRate) + " " + what + "/s asked"
	}
	if r.Pace != "" && r.Pace != "constant" {
		asked += " (" + r.Pace + ")"
	}
	word, colour := overall(r).word()
	text := fmt.Sprintf("%s, %s/s sent · %s measured", asked, number(r.ActualRate), span(r.Duration))
	if r.Warmup > 0 {
		text += " after " + span(r.Warmup) + " of warm-up"
	}
	left := cut(text, Width-columns(word)-1)
	p.line(left + strings.Repeat(" ", Width-columns(left)-columns(word)) + p.paint.as(colour, word))
}

// warnings writes what the reader must know before any figure.
func (p *page) warnings(r *run.Record) {
	var warnings []string
	if !r.Valid() {
		warnings = append(warnings, fmt.Sprintf("The generator fell behind: it sent %s %% of the rate. The figures speak of it, not of the servers.",
			percent(r.Generator.SendRatio)))
	}
	if r.Partial {
		warnings = append(warnings, fmt.Sprintf("Partial: the run ended after %s, before its time.", span(r.Duration)))
	}
	if r.Requests == 0 {
		warnings = append(warnings, "No request was sent in the measured part.")
	}
	warnings = append(warnings, r.Warnings...)
	for _, text := range warnings {
		p.wrapped("warning: ", yellow, text)
	}
}

// outcome writes status codes, errors, the reconciliation and what the run cost.
func (p *page) outcome(r *run.Record) {
	p.line("")
	p.wrapped("status      ", dim, counts(r.Status, "no answer at all"))
	if len(r.Errors) == 0 {
		p.wrapped("errors      ", dim, "none")
	} else {
		parts := make([]string, len(r.Errors))
		for i, e := range r.Errors {
			parts[i] = e.Class + " × " + integer(e.Count)
		}
		p.wrapped("errors      ", red, strings.Join(parts, " · "))
	}
	p.reconciliation(&r.Reconciliation)
	p.cost(r)
	if env := environment(r.Env); env != "" {
		p.wrapped("environment ", dim, env)
	}
}

func environment(e run.Env) string {
	cpu := e.CPU
	if e.Cores > 0 {
		cpu = strings.TrimSpace(fmt.Sprintf("%d × %s", e.Cores, or(e.CPU, "core")))
	}
	label := func(name, value string) string {
		if value == "" {
			return ""
		}
		return name + value
	}
	commit := e.Commit
	if len(commit) > 12 {
		commit = commit[:12]
	}
	return join(" · ", e.OS, cpu, e.Go, label("nginx ", strings.TrimPrefix(e.Nginx, "nginx/")),
		label("commit ", commit), label("database ", e.Database))
}

func (p *page) reconciliation(c *run.Reconciliation) {
	if c.Client == 0 && c.Nginx == nil && c.Servers == nil {
		return
	}
	text := "client " + integer(c.Client) + equals(&c.Client, c.Nginx) + "nginx " + optional(c.Nginx) +
		equals(c.Nginx, c.Servers) + "servers " + optional(c.Servers)
	if len(c.Attributed) > 0 {
		text += " · " + counts(c.Attributed, "")
	}
	colour := dim
	if c.Unexplained != 0 {
		colour = red
	}
	if c.Nginx != nil || c.Servers != nil {
		text += " · " + integer(c.Unexplained) + " unexplained"
	}
	p.wrapped("counted     ", colour, text)
}

// equals is the sign between two counts.
func equals(a, b *int64) string {
	if a != nil && b != nil && *a == *b {
		return " = "
	}
	return " · "
}

func (p *page) cost(r *run.Record) {
	g := r.Generator
	text := fmt.Sprintf("%s of CPU (%s a request) · %s · sent %s %% of those due · lag p99 %s",
		duration(g.CPU), duration(per(g.CPU, r.Requests)), megabytes(g.MaxRSS), percent(g.SendRatio), duration(r.ScheduleLag.P99))
	p.wrapped("generator   ", dim, text)
	if s := r.Servers; s != nil {
		p.wrapped("servers     ", dim, fmt.Sprintf("%s of CPU (%s a request) · %s · nginx %s of CPU",
			duration(s.CPU), duration(s.CPUPerRequest), megabytes(s.RSS), duration(s.NginxCPU)))
	}
}

func (p *page) asserts(asserts []run.Assert) {
	for _, a := range asserts {
		mark, colour := "holds", green
		if !a.Passed {
			mark, colour = "fails", red
		}
		p.line(p.paint.as(dim, "assert      ") + p.paint.as(colour, mark) + "  " + clean(a.Expr) + "  (" + measured(a) + ")")
	}
}

// measured is the value of an assertion in the unit of its metric: the record has seconds and parts of 1.
func measured(a run.Assert) string {
	name, _, _ := strings.Cut(strings.ReplaceAll(a.Expr, ">", "<"), "<")
	switch strings.TrimSpace(name) {
	case "min", "mean", "p50", "p90", "p95", "p99", "p999", "max", "lag":
		return duration(a.Value)
	case "errors", "success", "send_ratio", "deviation":
		return percent(a.Value) + " %"
	}
	return number(a.Value)
}
