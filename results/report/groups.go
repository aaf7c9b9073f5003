package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"balanceo/results/run"
)

// Bars are as wide as the line leaves room for, within these columns.
const (
	minBar = 8
	maxBar = 22
)

// groups writes a table for each group. A note that all of them have is written once, below.
func (p *page) groups(groups []run.Group) {
	var shared []string
	if len(groups) > 1 {
		for _, note := range groups[0].Notes {
			lacks := func(g run.Group) bool { return !slices.Contains(g.Notes, note) }
			if !slices.ContainsFunc(groups, lacks) {
				shared = append(shared, note)
			}
		}
	}
	for i := range groups {
		p.group(&groups[i], shared)
	}
	if len(shared) > 0 {
		p.line("")
	}
	for _, note := range shared {
		p.wrapped("note: ", dim, note)
	}
}

// group writes the table of a group's upstreams, and its notes but for those that are shared.
func (p *page) group(g *run.Group, shared []string) {
	p.line("")
	word, colour := verdictWord(g.Verdict)
	what := join(", ", or(g.Method, "method unknown"), integer(g.Requests)+" "+plural(float64(g.Requests), "request", "requests"))
	if g.Verdict != run.Info {
		what += ", " + margin(g)
	}
	p.line(p.paint.as(bold, clean(g.Name)) + "  " + what + "  " + p.paint.as(colour, word))
	p.upstreams(g)
	if g.Verdict == run.Fail || g.Verdict == run.Info {
		for _, reason := range g.Reasons {
			p.wrapped("  why: ", colour, reason)
		}
	}
	for _, note := range g.Notes {
		if !slices.Contains(shared, note) {
			p.wrapped("  note: ", dim, note)
		}
	}
}

func verdictWord(v run.Verdict) (string, style) {
	switch v {
	case run.Pass:
		return "pass", green
	case run.Fail:
		return "fail", red
	}
	return "info", dim
}

func (p *page) upstreams(g *run.Group) {
	t := &table{indent: 2, head: []cell{
		{text: "upstream"},
		{text: "instance"},
		{text: "mode"},
		right("weight"), right("due %"), right("got %"),
		{text: barHead},
		right("requests"), right("off by"), right("p50"), right("p90"), right("p99"),
	}}
	var most float64
	var named, moded, known bool
	for _, u := range g.Upstreams {
		most = max(most, u.Share, u.ExpectedShare)
		named = named || u.Instance != ""
		moded = moded || u.Mode != ""
		known = known || u.Weight > 0
	}
	for _, u := range g.Upstreams {
		row := []cell{
			{text: clean(u.Addr)},
			{text: or(cut(clean(u.Instance), 12), absent)},
			{text: or(clean(u.Mode), absent)},
			right(absent), right(absent), right(decimals(100*u.Share, 1)),
			{text: barHead},
			right(integer(u.Requests)), right(absent),
			right(latency(u.Latency.P50, u.Requests)), right(latency(u.Latency.P90, u.Requests)), right(latency(u.Latency.P99, u.Requests)),
		}
		if known {
			row[3].text = integer(int64(u.Weight))
			row[4].text = decimals(100*u.ExpectedShare, 1)
			row[8].text = signed(float64(u.Requests) - u.ExpectedShare*float64(g.Requests))
		}
		t.rows = append(t.rows, row)
	}
	hide := map[int]bool{1: !named, 2: !moded, 3: !known, 4: !known, 8: !known}
	t.hide(func(i int) bool { return hide[i] })
	t.shrink(Width - minBar)
	room := min(max(Width-t.width(), minBar), maxBar)
	t.fill(func(row int) string {
		if row < 0 {
			return strings.Repeat(" ", room)
		}
		u := g.Upstreams[row]
		return bar(room, u.Share, u.ExpectedShare, most, known)
	})
	lines := t.lines()
	p.line(p.paint.as(dim, lines[0]))
	for i, line := range lines[1:] {
		p.line(line)
		p.details(&g.Upstreams[i])
	}
}

// details writes below an upstream's row what only some have: workers, failed attempts, failed answers.
func (p *page) details(u *run.Upstream) {
	if text := workers(u.Workers, u.Mode); text != "" {
		p.wrapped("    ", dim, text)
	}
	if n := u.RetriedAway; n > 0 {
		p.wrapped("    ", red, fmt.Sprintf("%s more %s failed here and %s retried on another server",
			integer(n), plural(float64(n), "attempt", "attempts"), plural(float64(n), "was", "were")))
	}
	if u.Requests > 0 && u.SuccessRatio < 1 {
		p.wrapped("    ", red, fmt.Sprintf("%s %% of its answers were successful", percent(u.SuccessRatio)))
	}
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
	share := func(n int64) string { return decimals(100*float64(n)/float64(max(sum, 1)), 0) }
	if len(ws) > maxWorkersShown {
		return fmt.Sprintf("%d workers: %s to %s %% each", len(ws), share(least), share(most))
	}
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = share(w.Requests)
	}
	return fmt.Sprintf("%d workers: %s %%", len(ws), strings.Join(parts, " / "))
}
