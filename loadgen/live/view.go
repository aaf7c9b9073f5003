package live

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"balanceo/results/console"
)

// Options say what a View shows and how.
type Options struct {
	Terminal bool // redraw in place; else a line every LineEvery
	Colour   bool
	Width    int                              // columns of the terminal; 0: unknown
	Total    time.Duration                    // length of the attack, warm-up included
	Warmup   time.Duration                    // its first part
	Expected func(group, addr string) float64 // promised share; 0: none
	Name     func(group, addr string) string  // of the instance; empty: unknown
}

// LineEvery is how often a line is written where there is no terminal.
const LineEvery = 5 * time.Second

const redrawEvery = 250 * time.Millisecond

// View is the live view of one attack. A nil View shows nothing.
type View struct {
	w      io.Writer
	opt    Options
	began  time.Time
	mu     sync.Mutex
	meters []*Meter
	drawn  int // lines on the terminal that the next drawing replaces
	stop   chan struct{}
	done   sync.WaitGroup
}

// Start shows on w until Stop.
func Start(w io.Writer, opt Options) *View {
	v := &View{w: w, opt: opt, began: time.Now(), stop: make(chan struct{})}
	every := LineEvery
	if opt.Terminal {
		every = redrawEvery
	}
	v.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.show(time.Since(v.began))
			}
		}
	})
	return v
}

// Meter returns a new Meter that the view shows; one is needed for each shard. A nil View has none.
func (v *View) Meter() *Meter {
	if v == nil {
		return nil
	}
	m := &Meter{}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.meters = append(v.meters, m)
	return m
}

// Stop ends the view and takes it from the terminal.
func (v *View) Stop() {
	if v == nil {
		return
	}
	close(v.stop)
	v.done.Wait()
	if v.drawn > 0 {
		fmt.Fprintf(v.w, "\x1b[%dA\x1b[J", v.drawn)
	}
}

// show draws the state at that time of the attack.
func (v *View) show(now time.Duration) {
	s, total, span := v.read(now)
	if !v.opt.Terminal {
		fmt.Fprintln(v.w, v.line(now, s, total, span))
		return
	}
	lines := v.lines(now, s, span)
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", v.drawn)
	}
	for _, line := range lines {
		if v.opt.Width > 0 { // a line that wraps would not be taken away again
			line = ansi.Truncate(line, v.opt.Width-1, "")
		}
		b.WriteString(line + "\n")
	}
	v.drawn = len(lines)
	_, _ = io.WriteString(v.w, b.String())
}

// read sums the last whole seconds, or what there is of the first.
func (v *View) read(now time.Duration) (s *second, total int64, span time.Duration) {
	to := int64(now / time.Second)
	from := max(0, to-window)
	span = time.Duration(to-from) * time.Second
	if to == 0 {
		to, span = 1, now
	}
	s = &second{upstream: map[place]int64{}}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.meters {
		total += m.sum(s, from, to)
	}
	return s, total, span
}

func (v *View) phase(now time.Duration) string {
	switch {
	case now < v.opt.Warmup:
		return "warm-up"
	case now > v.opt.Total:
		return "waiting for the last answers"
	}
	return ""
}

// line is the state in one line.
func (v *View) line(now time.Duration, s *second, total int64, span time.Duration) string {
	text := fmt.Sprintf("%3.0fs  %s/s  p50 %s  p99 %s  failed %d of the last %d  total %d",
		now.Seconds(), perSecond(s.hits, span), show(s.latency.quantile(0.5)), show(s.latency.quantile(0.99)),
		s.failed, s.hits, total)
	if phase := v.phase(now); phase != "" {
		text += "  (" + phase + ")"
	}
	return text
}

// lines is the state as it stands on a terminal.
func (v *View) lines(now time.Duration, s *second, span time.Duration) []string {
	head := fmt.Sprintf("%s  %3.0f of %.0f s  %s/s  p50 %s  p99 %s  ", v.progress(now), now.Seconds(), v.opt.Total.Seconds(),
		perSecond(s.hits, span), show(s.latency.quantile(0.5)), show(s.latency.quantile(0.99)))
	if s.failed > 0 {
		head += v.paint("31", fmt.Sprintf("failed %.1f%%", float64(s.failed)/float64(s.hits)*100))
	} else {
		head += "no failures"
	}
	if phase := v.phase(now); phase != "" {
		head += "  " + v.paint("2", phase)
	}
	return append([]string{head}, v.shares(s)...)
}

const barWidth = 40

func (v *View) progress(now time.Duration) string {
	const width = 16
	full := int(min(1, now.Seconds()/v.opt.Total.Seconds()) * width)
	return strings.Repeat("█", full) + v.paint("2", strings.Repeat("░", width-full))
}

// shares has a bar for each upstream, with a mark where it should end.
func (v *View) shares(s *second) []string {
	groups := map[string]int64{}
	for p, n := range s.upstream {
		groups[p.Group] += n
	}
	places := slices.SortedFunc(maps.Keys(s.upstream), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Addr, b.Addr))
	})
	var out []string
	for i, p := range places {
		if i == 0 || places[i-1].Group != p.Group {
			out = append(out, "  "+clip(p.Group, 60))
		}
		share := float64(s.upstream[p]) / float64(max(1, groups[p.Group]))
		var expected float64
		if v.opt.Expected != nil {
			expected = v.opt.Expected(p.Group, p.Addr)
		}
		var name string
		if v.opt.Name != nil {
			name = v.opt.Name(p.Group, p.Addr)
		}
		text := fmt.Sprintf("    %-21s %-8s %s %5.1f%%", clip(p.Addr, 21), clip(name, 8), v.bar(share, expected), share*100)
		if expected > 0 {
			text += v.paint("2", fmt.Sprintf(" of %.1f%%", expected*100))
		}
		out = append(out, text)
	}
	return out
}

// bar shows a share with a mark at the expected one.
func (v *View) bar(share, expected float64) string {
	cells := []rune(strings.Repeat("█", cells(share)) + strings.Repeat("·", barWidth-cells(share)))
	if expected > 0 {
		cells[min(barWidth-1, max(0, cellsOf(expected)-1))] = '┃'
	}
	return string(cells)
}

func cells(share float64) int   { return min(barWidth, max(0, cellsOf(share))) }
func cellsOf(share float64) int { return int(math.Round(share * barWidth)) }

func (v *View) paint(code, text string) string {
	if !v.opt.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func perSecond(n int64, span time.Duration) string {
	if span <= 0 {
		return "0"
	}
	return fmt.Sprintf("%.0f", float64(n)/span.Seconds())
}

func show(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// clip shortens text and keeps control characters, which a server could send, from the terminal.
func clip(text string, width int) string { return console.Cut(console.Clean(text), width) }
