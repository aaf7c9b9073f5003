package monitor

import (
	"fmt"
	"slices"
	"strings"

	"balanceo/results/console"
	"balanceo/topology/logs"
	"balanceo/topology/status"
)

// remembered is how many seconds the curves and how many lines the logs may show.
const (
	remembered = 120
	linesMost  = 500
)

// everything is chosen where no part is.
const everything = ""

// curve is what the curves may show.
type curve struct {
	head  string
	value func(status.Part) *float64
}

// curves are shown in turn.
func curves() []curve {
	return []curve{
		{"REQ/S", func(p status.Part) *float64 { return p.Rate }},
		{"CPU", func(p status.Part) *float64 { return p.CPU }},
		{"MEMORY", func(p status.Part) *float64 {
			if p.RSS == nil {
				return nil
			}
			bytes := float64(*p.RSS)
			return &bytes
		}},
	}
}

// screen is what the monitor knows, and how it looks.
type screen struct {
	colour  bool
	last    *status.Snapshot
	history map[string][][]float64 // by part, one list a curve, oldest first
	lines   []logs.Line            // oldest first
	chosen  string                 // the part whose log is shown
	curve   int                    // which one is shown
}

// took adds a snapshot.
func (s *screen) took(snapshot *status.Snapshot) {
	s.last = snapshot
	if s.history == nil {
		s.history = map[string][][]float64{}
	}
	for _, p := range snapshot.Parts {
		lists := s.history[p.Name]
		if lists == nil {
			lists = make([][]float64, len(curves()))
		}
		for i, c := range curves() {
			value := 0.0 // of one that does not run
			if v := c.value(p); v != nil {
				value = *v
			}
			lists[i] = append(lists[i], value)
			lists[i] = lists[i][max(0, len(lists[i])-remembered):]
		}
		s.history[p.Name] = lists
	}
}

func (s *screen) wrote(l logs.Line) {
	s.lines = append(s.lines, l)
	s.lines = slices.Delete(s.lines, 0, max(0, len(s.lines)-linesMost))
}

// choose moves the choice by that many parts; everything comes before the first.
func (s *screen) choose(by int) {
	if s.last == nil {
		return
	}
	names := []string{everything}
	for _, p := range s.last.Parts {
		names = append(names, p.Name)
	}
	n := slices.Index(names, s.chosen) + by
	s.chosen = names[min(max(n, 0), len(names)-1)]
}

func (s *screen) turn(by int) { s.curve = (s.curve + by + len(curves())) % len(curves()) }

// draw returns at most height lines of at most width columns.
func (s *screen) draw(width, height int) []string {
	if s.last == nil {
		return fit([]string{"waiting for the layout to answer"}, width, height)
	}
	look := status.Look{Colour: s.colour, Width: width}
	paint := console.Painter(s.colour)
	table := s.last.Table(status.Look{Colour: s.colour, Width: max(1, width-2)}, s.column())
	out := []string{paint.Paint(console.Bold, s.title()), ""}
	for i, line := range table.Lines() {
		mark := "  "
		if i > 0 && s.last.Parts[i-1].Name == s.chosen {
			mark = "> "
		}
		out = append(out, mark+line)
	}
	if notes := s.last.Notes(look); len(notes) > 0 {
		out = append(append(out, ""), notes...)
	}
	keys := paint.Paint(console.Dim, "↑ ↓ whose log   ← → which curve   q ends")
	room := height - len(out) - 3
	if room < 1 {
		return append(fit(out, width, height-1), console.Cut(keys, width))
	}
	out = append(out, "", paint.Paint(console.Bold, "log of "+s.whose()))
	out = append(out, s.log(room)...)
	for len(out) < height-1 {
		out = append(out, "")
	}
	return append(fit(out, width, height-1), console.Cut(keys, width))
}

func (s *screen) title() string {
	return fmt.Sprintf("layout %s on :%d   %s", s.last.Layout, s.last.HTTPPort, s.last.At.Local().Format("15:04:05"))
}

func (s *screen) whose() string {
	if s.chosen == everything {
		return "all parts"
	}
	return s.chosen
}

func (s *screen) log(n int) []string {
	var out []string
	for _, l := range slices.Backward(s.lines) {
		if len(out) == n {
			break
		}
		if s.chosen != everything && l.Source != s.chosen {
			continue
		}
		at := "        "
		if !l.Time.IsZero() {
			at = l.Time.Local().Format("15:04:05")
		}
		out = append(out, at+" "+l.Source+"  "+console.Clean(l.Text))
	}
	slices.Reverse(out)
	return out
}

// column draws a curve for each part.
func (s *screen) column() console.Column {
	return console.Column{Head: "~" + curves()[s.curve].head, Drop: 1, Draw: func(row, width int) string {
		values := s.history[s.last.Parts[row].Name][s.curve]
		return spark(values[max(0, len(values)-width):], width)
	}}
}

// spark draws values from 0 up to their largest, flush right.
func spark(values []float64, width int) string {
	const levels = "▁▂▃▄▅▆▇█"
	steps := []rune(levels)
	most := slices.Max(append([]float64{0}, values...))
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", max(0, width-len(values))))
	for _, v := range values {
		if v <= 0 || most <= 0 {
			b.WriteByte('.')
			continue
		}
		b.WriteRune(steps[min(len(steps)-1, int(v/most*float64(len(steps))))])
	}
	return b.String()
}

func fit(lines []string, width, height int) []string {
	lines = slices.Clone(lines[:min(len(lines), max(height, 0))])
	for i := range lines {
		lines[i] = console.Cut(lines[i], width)
	}
	return lines
}
