package status

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/results/console"
	"balanceo/topology/supervise"
)

// Look is how a snapshot is shown.
type Look struct {
	Colour bool
	Width  int // columns of the terminal; 0: as many as it takes
}

// Text writes the snapshot as a table.
func Text(w io.Writer, s *Snapshot, look Look) error {
	lines := append([]string{s.head(look), ""}, s.Table(look).Lines()...)
	if notes := s.Notes(look); len(notes) > 0 {
		lines = append(append(lines, ""), notes...)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func (l Look) width() int {
	if l.Width <= 0 {
		return math.MaxInt
	}
	return l.Width
}

func (s *Snapshot) head(look Look) string {
	return console.Cut(fmt.Sprintf("layout %s on :%d, up %s, pid %d, %s", s.Layout, s.HTTPPort,
		span(s.At.Sub(s.Started)), s.PID, s.Dir), look.width())
}

// Notes are what there is to say beside the figures.
func (s *Snapshot) Notes(look Look) []string {
	var notes []string
	for _, p := range s.Parts {
		if p.Reason != "" && p.State != supervise.Stopped {
			notes = append(notes, p.Name+": "+p.Reason)
		}
		if !p.Held.IsZero() {
			notes = append(notes, fmt.Sprintf("%s: held up on purpose until %s", p.Name, p.Held.Local().Format(time.TimeOnly)))
		}
		if p.Delay > 0 {
			notes = append(notes, fmt.Sprintf("%s: answers %v later, on purpose", p.Name, time.Duration(p.Delay*float64(time.Second))))
		}
	}
	if s.Disk != "" {
		notes = append(notes, "disk: "+s.Disk)
	}
	if s.Watch != "" {
		notes = append(notes, "watch: "+s.Watch)
	}
	var lines []string
	for _, n := range notes {
		lines = append(lines, console.Wrap(n, look.width())...)
	}
	return lines
}

// Table has a row for each part, whether it runs or not, made to fit. Further columns come before the share's.
func (s *Snapshot) Table(look Look, more ...console.Column) *console.Table {
	t := &console.Table{Gap: 2, Columns: []console.Column{
		console.Left("NAME", 0), console.Right("PORT", 7), console.Left("MODE", 6), console.Left("STATE", 0), console.Right("PID", 10),
		console.Left("WORKERS", 12), console.Right("RESTARTS", 5), console.Right("UPTIME", 8), console.Right("CPU", 3),
		console.Right("MEMORY", 4), console.Right("CONNS", 9), console.Right("REQ/S", 1), console.Right("SHARE", 0), console.Left("GROUP", 11),
	}}
	const before = 2 // columns that stand after the further ones
	t.Columns = slices.Insert(t.Columns, len(t.Columns)-before, more...)
	for _, p := range s.Parts {
		cells := row(p, look)
		t.Add(slices.Insert(cells, len(cells)-before, make([]string, len(more))...)...)
	}
	t.Fit(look.width())
	return t
}

func row(p Part, look Look) []string {
	pid, uptime := "", ""
	if p.PID != 0 {
		pid = strconv.Itoa(p.PID)
		uptime = span(time.Duration(p.Uptime * float64(time.Second)))
	}
	restarts := strconv.Itoa(p.Restarts)
	if p.Ended != nil && *p.Ended > 0 {
		restarts += fmt.Sprintf("+%d", *p.Ended) // the master's and its workers'
	}
	share := number(p.Share, func(v float64) string { return fmt.Sprintf("%.1f%%", 100*v) })
	if p.Share != nil && p.Expected != nil {
		share += fmt.Sprintf(" of %.1f%%", 100**p.Expected)
	}
	return []string{
		p.Name, strconv.Itoa(p.Port), string(p.Mode), paint(look, p.State), pid, workers(p.Workers), restarts, uptime,
		number(p.CPU, func(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) }),
		number(p.RSS, func(v int64) string { return fmt.Sprintf("%.1f MB", float64(v)/1e6) }),
		number(p.Connections, strconv.Itoa),
		number(p.Rate, func(v float64) string { return fmt.Sprintf("%.1f", v) }),
		share, p.Group,
	}
}

// number shows what is known.
func number[T any](v *T, show func(T) string) string {
	if v == nil {
		return ""
	}
	return show(*v)
}

// mostWorkers is how many pids fit into a line.
const mostWorkers = 4

func workers(pids []int) string {
	var parts []string
	for i, pid := range pids {
		if i == mostWorkers {
			parts = append(parts, fmt.Sprintf("+%d", len(pids)-i))
			break
		}
		parts = append(parts, strconv.Itoa(pid))
	}
	return strings.Join(parts, " ")
}

// span shows a time in its two largest units.
func span(d time.Duration) string {
	d = max(0, d.Truncate(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// paint colours a state: green serves, red does not, yellow is on its way.
func paint(look Look, state supervise.State) string {
	style := console.Yellow
	switch state {
	case supervise.Ready:
		style = console.Green
	case supervise.Failed:
		style = console.Red
	}
	return console.Painter(look.Colour).Paint(style, string(state))
}
