package live

import (
	"cmp"
	"fmt"
	"io"
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
	drawn  int     // lines on the terminal that the next drawing replaces
	seen   []place // upstreams in view, in order
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
	s = &second{upstream: map[place]int64{}, retried: map[place]int64{}}
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
	failures := "no failures"
	if s.failed > 0 {
		failures = v.paint(console.Red, fmt.Sprintf("failed %.1f%%", float64(s.failed)/float64(s.hits)*100))
	}
	parts := []string{
		v.progress(now), fmt.Sprintf("%3.0f of %.0f s", now.Seconds(), v.opt.Total.Seconds()), perSecond(s.hits, span) + "/s",
		"p50 " + show(s.latency.quantile(0.5)), "p99 " + show(s.latency.quantile(0.99)), failures,
	}
	if n := sum(s.retried); n > 0 {
		parts = append(parts, v.paint(console.Yellow, perSecond(n, span)+" retries/s"))
	}
	if phase := v.phase(now); phase != "" {
		parts = append(parts, v.paint(console.Dim, phase))
	}
	head := strings.Join(parts, "  ")
	for _, dropped := range []string{parts[0], parts[3], parts[4]} { // the bar, then p50, then p99
		if ansi.StringWidth(head) < v.width() {
			break
		}
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == dropped })
		head = strings.Join(parts, "  ")
	}
	return append([]string{head}, v.shares(s)...)
}

// width is how many columns there are.
func (v *View) width() int { return cmp.Or(v.opt.Width, 100) }

func sum(of map[place]int64) (n int64) {
	for _, k := range of {
		n += k
	}
	return n
}

func (v *View) progress(now time.Duration) string {
	const width = 16
	full := int(min(1, now.Seconds()/v.opt.Total.Seconds()) * width)
	return strings.Repeat("█", full) + v.paint(console.Dim, strings.Repeat("░", width-full))
}

// shares has a bar for each upstream that was ever seen, with a mark where it should end.
func (v *View) shares(s *second) []string {
	groups := map[string]int64{}
	for p, n := range s.upstream {
		groups[p.Group] += n
		v.see(p)
	}
	for p := range s.retried {
		v.see(p)
	}
	var out []string
	for i, p := range v.seen {
		if i == 0 || v.seen[i-1].Group != p.Group {
			out = append(out, "  "+clip(p.Group, v.width()-3))
		}
		out = append(out, v.share(p, s, float64(s.upstream[p])/float64(max(1, groups[p.Group]))))
	}
	return out
}

// see keeps an upstream in view, whether it answers or not.
func (v *View) see(p place) {
	i, known := slices.BinarySearchFunc(v.seen, p, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Addr, b.Addr))
	})
	if !known && len(v.seen) < maxPlaces {
		v.seen = slices.Insert(v.seen, i, p)
	}
}

// The parts of an upstream's line: what stands around its bar, and the bar.
const (
	addrWidth = 21
	nameWidth = 8
	around    = 4 + 1 + 1 + len("100.0% of 100.0%") + len("  100 retries")
	leastBar  = 8
	mostBar   = 40
)

// share is one line. Where there is no room for both, the name goes before the address.
func (v *View) share(p place, s *second, share float64) string {
	var expected float64
	if v.opt.Expected != nil {
		expected = v.opt.Expected(p.Group, p.Addr)
	}
	who := fmt.Sprintf("%-*s", addrWidth, clip(p.Addr, addrWidth))
	if v.opt.Name != nil {
		name := fmt.Sprintf("%-*s", nameWidth, clip(v.opt.Name(p.Group, p.Addr), nameWidth))
		switch known := strings.TrimSpace(name) != ""; {
		case v.width() > around+addrWidth+1+nameWidth+leastBar:
			who += " " + name
		case known:
			who = name
		}
	}
	bar := min(max(v.width()-1-around-len([]rune(who)), leastBar), mostBar)
	text := fmt.Sprintf("    %s %s %5.1f%%", who, drawBar(share, expected, bar), share*100)
	if expected > 0 {
		text += v.paint(console.Dim, fmt.Sprintf(" of %.1f%%", expected*100))
	}
	switch n := s.retried[p]; {
	case n > 0:
		text += v.paint(console.Yellow, fmt.Sprintf("  %d retries", n))
	case s.upstream[p] == 0:
		text += v.paint(console.Red, "  no answer")
	}
	return text
}

// drawBar shows a share with a mark at the expected one.
func drawBar(share, expected float64, width int) string {
	at := func(share float64) int { return min(width, max(0, int(math.Round(share*float64(width))))) }
	cells := []rune(strings.Repeat("█", at(share)) + strings.Repeat("·", width-at(share)))
	if expected > 0 {
		cells[max(0, at(expected)-1)] = '┃'
	}
	return string(cells)
}

func (v *View) paint(style console.Style, text string) string {
	return console.Painter(v.opt.Colour).Paint(style, text)
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
