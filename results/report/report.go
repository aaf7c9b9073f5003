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
	"math"
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
	layout := r.Layout
	if layout == "" {
		layout = "no layout of ours"
	}
	id := console.Cut(console.Clean(r.ID), p.Width/2)
	title := console.Cut(join(layout, r.Scenario, r.Label, r.Target), p.Width-console.Columns(id)-1)
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

// answers writes what failed, how slow the answers were and what was asked.
func (p *page) answers(r *run.Record) {
	p.line("")
	status := counts(r.Status)
	if status == "" {
		status = "no answer at all"
	}
	switch {
	case r.Requests == 0:
		p.fact("failed", console.Dim, status)
	case r.SuccessRatio < 1 || len(r.Errors) > 0:
		unsent := ""
		if r.Unsent > 0 {
			unsent = units.Number(float64(r.Unsent)) + " due and never sent"
		}
		p.fact("failed", console.Red, join(units.Percent(1-r.SuccessRatio)+" of "+units.Count(r.Requests+r.Unsent, noun(r)), failures(r), unsent, status))
	default:
		p.fact("failed", console.Dim, join("none of "+units.Count(r.Requests, noun(r)), status))
	}
	missing := ""
	if r.Missing > 0 {
		missing = units.Number(float64(r.Missing)) + " slower or never answered are missing"
	}
	p.latency("latency", r.Latency, successes(r), missing)
	if r.Failures != nil {
		p.latency("of failures", *r.Failures, max(r.Requests-successes(r), 1), "")
	}
	if text := slowest(r.Slowest); text != "" {
		p.fact("slowest", console.Dim, text)
	}
	if r.FirstByte != nil {
		p.latency("first byte", *r.FirstByte, r.Responses, "")
	}
	if r.Connect != nil {
		p.latency("connecting", *r.Connect, max(r.Opened, 1), units.Count(r.Opened, "new connection"))
	}
	asked := "as many " + noun(r) + "s as it could send"
	if r.RequestedRate > 0 {
		asked = units.Number(r.RequestedRate) + " " + noun(r) + "s/s asked"
	}
	if r.Pace != "" && r.Pace != "constant" {
		asked += " (" + r.Pace + ")"
	}
	measured := units.Number(r.Duration) + " s measured"
	if r.Warmup > 0 {
		measured += " after " + units.Number(r.Warmup) + " s of warm-up"
	}
	answered := ""
	if r.AnswerTime > r.Duration*1.01 && r.Throughput > 0 {
		answered = units.Number(r.Throughput) + "/s answered in " + units.Number(r.AnswerTime) + " s"
	}
	received := ""
	if r.BytesReceived > 0 && r.Duration > 0 {
		received = units.Format(float64(r.BytesReceived)/max(r.AnswerTime, r.Duration), units.Bytes) + "/s received"
	}
	p.fact("load", console.Dim, join(asked, units.Number(r.ActualRate)+"/s sent", answered, received, measured))
	p.reconciliation(r)
	for _, a := range r.Asserts {
		mark, colour := "holds", console.Green
		if !a.Passed {
			mark, colour = "fails", console.Red
		}
		p.fact("assert", colour, mark+"  "+a.Expr+"  ("+measuredAs(a)+")")
	}
}

// noun is what the load consists of.
func noun(r *run.Record) string {
	if r.WS != nil {
		return "product"
	}
	return "request"
}

// failures names the classes of errors.
func failures(r *run.Record) string {
	var parts []string
	for _, e := range r.Errors {
		parts = append(parts, e.Class+" × "+units.Number(float64(e.Count)))
	}
	return join(parts...)
}

// successes is how many requests the latencies of a run are of.
func successes(r *run.Record) int64 {
	return int64(math.Round(r.SuccessRatio * float64(r.Requests+r.Unsent)))
}

// slowest names the slowest request, or all that took half as long at least where one process is behind them.
func slowest(all []run.Outlier) string {
	if len(all) == 0 {
		return ""
	}
	first := all[0]
	at := ""
	if name := cmp.Or(first.Instance, first.Upstream); name != "" {
		at = " at " + name
	}
	if first.PID != 0 {
		at += fmt.Sprintf(", worker %d", first.PID)
	}
	n := 0
	for n < len(all) && all[n].Latency >= first.Latency/2 && all[n].Upstream == first.Upstream && all[n].PID == first.PID {
		n++
	}
	same := n == len(all) || all[n].Latency < first.Latency/2
	if n > 1 && same && at != "" {
		return fmt.Sprintf("%s took %s to %s, all%s", units.Count(int64(n), "request"), seconds(all[n-1].Latency), seconds(first.Latency), at)
	}
	text := fmt.Sprintf("%s, %s %s%s, due %s after the start", seconds(first.Latency), first.Method, first.Path, at, seconds(first.T))
	if first.Class != "" {
		text += " (" + first.Class + ")"
	}
	return text
}

// latency writes the percentiles of n requests, those that so many tell.
func (p *page) latency(name string, l run.Latency, n int64, note string) {
	var parts []string
	for _, q := range quantiles(l) {
		if text := q.text(n); text != "" && q.name != "p95" {
			parts = append(parts, q.name+" "+text)
		}
	}
	if len(parts) > 0 {
		p.fact(name, console.Dim, join(append(parts, note)...))
	}
}

// quantile is one of a latency distribution; at is 0 for the mean and the like, which need only one request.
type quantile struct {
	name  string
	at    float64
	value float64
}

func quantiles(l run.Latency) []quantile {
	return []quantile{
		{"p50", 0.5, l.P50}, {"p90", 0.9, l.P90}, {"p95", 0.95, l.P95}, {"p99", 0.99, l.P99}, {"p99.9", 0.999, l.P999}, {"max", 0, l.Max},
	}
}

// text is the value, empty where n requests don't tell it.
func (q quantile) text(n int64) string { return Percentile(q.value, q.at, n) }

// Percentile is the value of the q-quantile of n requests, empty where they are not enough to tell it.
func Percentile(value, q float64, n int64) string {
	if n <= 0 || !run.Supports(q, n) {
		return ""
	}
	return units.Format(value, units.Seconds)
}

// latencies are the cells of l's percentiles, of those that are named.
func latencies(l run.Latency, n int64, names ...string) []string {
	var out []string
	for _, q := range quantiles(l) {
		if slices.Contains(names, q.name) {
			out = append(out, strings.ReplaceAll(q.text(n), " ", ""))
		}
	}
	return out
}

func (p *page) reconciliation(r *run.Record) {
	c := &r.Reconciliation
	if c.Nginx == nil && c.Servers == nil {
		return
	}
	text := "client " + units.Number(float64(c.Client)) + equals(&c.Client, c.Nginx) + balancer(r) + " " + optional(c.Nginx)
	if c.Balancer != nil {
		text += equals(c.Nginx, c.Balancer) + "its own count " + optional(c.Balancer)
	}
	text += equals(c.Nginx, c.Servers) + "servers " + optional(c.Servers)
	colour := console.Dim
	if c.Unexplained != 0 {
		colour = console.Red
	}
	p.fact("counted", colour, join(text, counts(c.Attributed), units.Number(float64(c.Unexplained))+" unexplained"))
}

func optional(n *int64) string {
	if n == nil {
		return console.Absent
	}
	return units.Number(float64(*n))
}

// equals is the sign between two counts.
func equals(a, b *int64) string {
	if a != nil && b != nil && *a == *b {
		return " = "
	}
	return " · "
}

// origin writes what the run cost and where it took place.
func (p *page) origin(r *run.Record) {
	p.line("")
	g := r.Generator
	perRequest := g.CPU / float64(max(r.Requests, 1))
	p.fact("generator", console.Dim, fmt.Sprintf("%s of CPU (%s a request) · %s · sent %s of what was due · lag p99 %s",
		seconds(g.CPU), seconds(perRequest), units.Format(float64(g.MaxRSS), units.Bytes), units.Percent(g.SendRatio), seconds(r.ScheduleLag.P99)))
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
