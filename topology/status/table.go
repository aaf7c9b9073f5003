package status

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"balanceo/topology/supervise"
)

// Text writes the snapshot as a table, with colours if asked to.
func Text(w io.Writer, s *Snapshot, colour bool) error {
	rows := [][]string{{
		"NAME", "PORT", "MODE", "STATE", "PID", "WORKERS", "RESTARTS", "UPTIME", "CPU", "MEMORY", "CONNS",
		"REQ/S", "SHARE", "GROUP",
	}}
	for _, p := range s.Parts {
		rows = append(rows, row(p))
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "layout %s on :%d, up %s, pid %d, %s\n\n", s.Layout, s.HTTPPort,
		span(s.At.Sub(s.Started)), s.PID, s.Dir)
	for n, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if n > 0 && i == stateColumn && colour {
				cell = paint(s.Parts[n-1].State, cell)
			}
			if isNumber(i) {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	for _, p := range s.Parts {
		if p.Reason != "" && p.State != supervise.Stopped {
			fmt.Fprintf(&b, "\n%s: %s", p.Name, p.Reason)
		}
	}
	if s.Disk != "" {
		fmt.Fprintf(&b, "\ndisk: %s", s.Disk)
	}
	if s.Watch != "" {
		fmt.Fprintf(&b, "\nwatch: %s", s.Watch)
	}
	text := strings.TrimRight(b.String(), "\n") + "\n"
	_, err := io.WriteString(w, text)
	return err
}

const stateColumn = 3

// isNumber tells of a column that it is aligned to the right.
func isNumber(column int) bool { return column == 1 || column == 4 || column >= 6 && column <= 12 }

func row(p Part) []string {
	mode := string(p.Mode)
	if mode == "" {
		mode = "-"
	}
	pid := "-"
	uptime := "-"
	if p.PID != 0 {
		pid = strconv.Itoa(p.PID)
		uptime = span(time.Duration(p.Uptime * float64(time.Second)))
	}
	group := p.Group
	if group == "" {
		group = "-"
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
		p.Name, strconv.Itoa(p.Port), mode, string(p.State), pid, workers(p.Workers), restarts, uptime,
		number(p.CPU, func(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) }),
		number(p.RSS, func(v int64) string { return fmt.Sprintf("%.1f MB", float64(v)/1e6) }),
		number(p.Connections, strconv.Itoa),
		number(p.Rate, func(v float64) string { return fmt.Sprintf("%.1f", v) }),
		share, group,
	}
}

// number shows what is known, and "-" for what is not.
func number[T any](v *T, show func(T) string) string {
	if v == nil {
		return "-"
	}
	return show(*v)
}

// mostWorkers is how many pids fit into a line.
const mostWorkers = 4

func workers(pids []int) string {
	if len(pids) == 0 {
		return "-"
	}
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
func paint(state supervise.State, text string) string {
	colour := "33"
	switch state {
	case supervise.Ready:
		colour = "32"
	case supervise.Failed:
		colour = "31"
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
