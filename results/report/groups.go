package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/units"
)

// groups writes a table for each group, and each note once, however many groups have it.
func (p *page) groups(groups []run.Group) {
	var told []string
	for i := range groups {
		p.group(&groups[i])
		for _, note := range groups[i].Notes {
			if !slices.Contains(told, note) {
				told = append(told, note)
				p.wrapped("  note: ", console.Dim, note)
			}
		}
	}
}

// group writes the table of a group's upstreams.
func (p *page) group(g *run.Group) {
	word, colour := verdictWord(g.Verdict)
	what := cmp.Or(g.Method, "method unknown") + ", " + units.Count(g.Requests, "request")
	if g.Verdict != run.Info {
		what += ", " + margin(g)
	}
	p.line("")
	name := console.Cut(console.Clean(g.Name), p.Width/2)
	what = console.Cut(console.Clean(what), max(p.Width-console.Columns(name+word)-4, 0))
	p.line(p.paint.Paint(console.Bold, name) + "  " + what + "  " + p.paint.Paint(colour, word))
	p.upstreams(g)
	if g.Verdict == run.Info { // those of a failure are at the top
		for _, reason := range g.Reasons {
			p.wrapped("  why: ", colour, reason)
		}
	}
}

func verdictWord(v run.Verdict) (string, console.Style) {
	switch v {
	case run.Pass:
		return "pass", console.Green
	case run.Fail:
		return "fail", console.Red
	}
	return "info", console.Dim
}

func (p *page) upstreams(g *run.Group) {
	var most float64
	known := false
	for _, u := range g.Upstreams {
		most = max(most, u.Share, u.ExpectedShare)
		known = known || u.Weight > 0
	}
	t := &console.Table{Indent: 2, Columns: []console.Column{
		console.Left("upstream", 0), console.Left("instance", 4), console.Left("mode", 7), console.Right("weight", 6),
		console.Right("expected", 2), console.Right("got", 0),
		{Drop: 5, Draw: func(row, width int) string {
			u := g.Upstreams[row]
			return bar(width, u.Share, u.ExpectedShare, most, known)
		}},
		console.Right("requests", 0), console.Right("difference", 1),
		console.Right("p50", 3), console.Right("p90", 8), console.Right("p99", 3), console.Right("p99.9", 10), console.Right("max", 9),
	}}
	for _, u := range g.Upstreams {
		weight, expected, difference := "", "", ""
		if known {
			weight, expected = units.Number(float64(u.Weight)), units.Percent(u.ExpectedShare)
			difference = units.Difference(float64(u.Requests) - u.ExpectedShare*float64(g.Requests))
		}
		t.Add(append([]string{
			console.Clean(u.Addr), console.Cut(console.Clean(u.Instance), 12), console.Clean(u.Mode), weight, expected,
			units.Percent(u.Share), "", units.Number(float64(u.Requests)), difference,
		}, latencies(u.Latency, successesAt(&u), "p50", "p90", "p99", "p99.9", "max")...)...)
	}
	t.Fit(p.Width)
	var shown []string
	for _, c := range t.Columns {
		shown = append(shown, c.Head)
	}
	lines := t.Lines()
	p.line(p.paint.Paint(console.Dim, lines[0]))
	for i, line := range lines[1:] {
		p.line(line)
		p.details(&g.Upstreams[i], shown)
	}
}

// details writes below an upstream's row what only some have: failed attempts, failed answers, and with -v workers and
// what the table has no room for.
func (p *page) details(u *run.Upstream, shown []string) {
	if p.Verbose {
		if text := join(tail(u, shown), workers(u.Workers, u.Mode)); text != "" {
			p.wrapped("    ", console.Dim, text)
		}
	}
	if n := u.RetriedAway; n > 0 {
		p.wrapped("    ", console.Red, units.Count(n, "attempt")+" more failed here and went to another server")
	}
	if u.Requests > 0 && u.SuccessRatio < 1 {
		p.wrapped("    ", console.Red, units.Percent(u.SuccessRatio)+" of its answers were successful")
	}
}

// successesAt is how many requests the latencies of an upstream are of.
func successesAt(u *run.Upstream) int64 {
	return int64(math.Round(u.SuccessRatio * float64(u.Requests)))
}

// tail is how slow the slowest answers of an upstream were, where the table has no column for it.
func tail(u *run.Upstream, shown []string) string {
	var parts []string
	for _, q := range quantiles(u.Latency) {
		if text := q.text(successesAt(u)); text != "" && !slices.Contains(shown, q.name) && (q.name == "p99.9" || q.name == "max") {
			parts = append(parts, q.name+" "+text)
		}
	}
	return join(parts...)
}

// bar draws share, with a mark where it is expected to end.
func bar(width int, share, expected, most float64, known bool) string {
	if most <= 0 {
		return strings.Repeat(" ", width)
	}
	at := func(v float64) int { return int(math.Round(min(max(v/most, 0), 1) * float64(width-2))) }
	cells := slices.Repeat([]rune{' '}, width)
	for i := range at(share) {
		cells[i] = '━'
	}
	if known {
		cells[at(expected)] = '┃'
	}
	return string(cells)
}

// maxWorkersShown is how many workers get a share of their own on the line.
const maxWorkersShown = 8

// workers sums up the processes behind one port: "2 workers: 51 / 49 %". One is worth a line only where there
// should be several.
func workers(ws []run.Worker, mode string) string {
	if len(ws) == 1 && mode == "CLUSTER" {
		return "1 worker answered everything"
	}
	if len(ws) < 2 {
		return ""
	}
	var sum, least, most int64 = 0, math.MaxInt64, 0
	for _, w := range ws {
		sum += w.Requests
		least, most = min(least, w.Requests), max(most, w.Requests)
	}
	share := func(n int64) string { return fmt.Sprintf("%.0f", 100*float64(n)/float64(max(sum, 1))) }
	if len(ws) > maxWorkersShown {
		return fmt.Sprintf("%d workers: %s to %s %% each", len(ws), share(least), share(most))
	}
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = share(w.Requests)
	}
	return fmt.Sprintf("%d workers: %s %%", len(ws), strings.Join(parts, " / "))
}
