package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/units"
)

// answers writes what failed, how slow the answers were and what was asked.
func (p *page) answers(r *run.Record) {
	p.line("")
	status := cmp.Or(counts(r.Status), "no answer at all")
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
	p.latency("latency", r.Latency, r.Successes(), missing)
	if r.Failures != nil {
		p.latency("of failures", *r.Failures, max(r.Requests-r.Successes(), 1), "")
	}
	p.events(r)
	if text := slowest(r.Slowest); text != "" {
		p.fact("slowest", console.Dim, text)
	}
	if r.FirstByte != nil {
		p.latency("first byte", *r.FirstByte, r.Responses, "")
	}
	if r.Connect != nil {
		p.latency("connecting", *r.Connect, max(r.Opened, 1), units.Count(r.Opened, "new connection"))
	}
	p.sent(r)
	p.reconciliation(r)
	for _, a := range r.Asserts {
		mark, colour := "holds", console.Green
		if !a.Passed {
			mark, colour = "fails", console.Red
		}
		p.fact("assert", colour, mark+"  "+a.Expr+"  ("+measuredAs(a)+")")
	}
}

// events writes what happened to the servers meanwhile.
func (p *page) events(r *run.Record) {
	for i, e := range r.Events {
		label := ""
		if i == 0 {
			label = "happened"
		}
		when := "at " + seconds(e.T)
		if e.T < 0 {
			when = "in the warm-up"
		}
		text := when + " " + cmp.Or(r.Instance(e.Addr), e.Addr) + " " + e.Text
		if touched := e.Touched(); touched != "" {
			text += "; meanwhile " + touched
		}
		p.fact(label, console.Yellow, console.Clean(text))
	}
}

// sent writes what was asked and how much of it was sent and answered.
func (p *page) sent(r *run.Record) {
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
