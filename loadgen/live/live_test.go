package live

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"balanceo/loadgen/tally"
)

func hit(done, latency time.Duration, addr string, failure tally.Class) *tally.Hit {
	return &tally.Hit{Due: done - latency, Sent: done - latency, Done: done, Group: "app", Tried: addr, Err: failure}
}

func TestBuckets(t *testing.T) {
	for us := uint64(0); us < 1<<40; us += 1 + us/7 {
		b := bucket(us)
		if low, next := bottom(b), bottom(b+1); us < low || us >= next {
			t.Fatalf("%d µs lies in bucket %d, which is [%d, %d)", us, b, low, next)
		}
	}
	if b := bucket(math.MaxUint64); b >= len(buckets{}) {
		t.Errorf("the greatest value lies in bucket %d of %d", b, len(buckets{}))
	}
	var b buckets
	for i := range 1000 {
		b.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := b.quantile(q); math.Abs(float64(got-want)) > float64(want)/8 {
			t.Errorf("quantile(%v) = %v, want %v within an eighth", q, got, want)
		}
	}
}

func TestMeterForgets(t *testing.T) {
	var v View
	m := v.Meter()
	for i := range 10 { // ten seconds with 100 hits each
		for range 100 {
			m.Add(hit(time.Duration(i)*time.Second+time.Millisecond, time.Millisecond, "a:1", tally.NoError))
		}
	}
	s, total, span := v.read(10 * time.Second)
	if s.hits != 100*window || total != 1000 || span != window*time.Second || s.upstream[place{"app", "a:1"}] != 100*window {
		t.Errorf("after ten seconds: %d hits of %d in %v, want %d of 1000 in %d s", s.hits, total, span, 100*window, window)
	}
	// Whatever a server puts into its header, the meter does not grow.
	for i := range 10000 {
		m.Add(hit(10*time.Second, time.Millisecond, strconv.Itoa(i), tally.NoError))
	}
	if n := len(m.slot(10).upstream); n > maxPlaces {
		t.Errorf("%d upstreams are remembered, want at most %d", n, maxPlaces)
	}
}

func options() Options {
	return Options{
		Width: 100, Total: 20 * time.Second, Warmup: 2 * time.Second,
		Expected: func(string, string) float64 { return 0.5 },
		Name:     func(_, addr string) string { return "of " + addr },
	}
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		v := Start(&out, options())
		m := v.Meter()
		time.Sleep(time.Millisecond) // so that no hit meets a tick
		for i := range 2200 {
			time.Sleep(5 * time.Millisecond)
			failure := tally.NoError
			if i%100 == 0 {
				failure = tally.HTTP5xx
			}
			m.Add(hit(time.Duration(i)*5*time.Millisecond+6*time.Millisecond, 3*time.Millisecond, "a:1", failure))
		}
		v.Stop()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[1], "10s  200/s  p50 2.82ms  p99 2.82ms  failed 6 of the last 600") {
			t.Errorf("after 11 s without a terminal:\n%s", out.String())
		}
	})
}

func TestTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		opt := options()
		opt.Terminal = true
		v := Start(&out, opt)
		m := v.Meter()
		for i := range 3000 {
			addr := "127.0.0.1:1"
			if i%4 == 0 {
				addr = "127.0.0.1:1, 127.0.0.1:2"
			}
			m.Add(hit(time.Duration(i)*time.Millisecond, 3*time.Millisecond, addr, tally.NoError))
		}
		time.Sleep(3*time.Second + 10*time.Millisecond)
		synctest.Wait()
		frames := strings.Split(out.String(), "\x1b[J")
		frame := frames[len(frames)-1]
		for _, want := range []string{
			"3 of 20 s  1000/s  p50 2.82ms  p99 2.82ms  no failures  250 retries/s", "  app\n",
			"127.0.0.1:1           of 127.… ████████████████┃█████████········  75.0% of 50.0%  750 retries",
			"127.0.0.1:2           of 127.… █████████·······┃·················  25.0% of 50.0%",
		} {
			if !strings.Contains(frame, want) {
				t.Errorf("the view lacks %q:\n%s", want, frame)
			}
		}
		v.Stop()
		if tail := fmt.Sprintf("\x1b[%dA\x1b[J", strings.Count(frame, "\n")); !strings.HasSuffix(out.String(), tail) {
			t.Errorf("Stop left the view on the terminal: %q", out.String()[len(out.String())-40:])
		}
	})
}

// A server that answers no more stays in view, and every line fits.
func TestDeadInView(t *testing.T) {
	for _, width := range []int{60, 80, 120, 200} {
		v := View{opt: Options{Width: width, Total: 20 * time.Second, Expected: func(string, string) float64 { return 0.5 }, Name: func(string, string) string { return "serverA" }}}
		m := v.Meter()
		m.Add(hit(0, 0, "127.0.0.1:8082", tally.NoError))
		m.Add(hit(0, 0, "127.0.0.1:8083", tally.NoError))
		s, _, span := v.read(time.Second)
		v.lines(time.Second, s, span)
		for i := range 400 {
			m.Add(hit(10*time.Second+time.Duration(i)*time.Millisecond, 0, []string{"127.0.0.1:8083, 127.0.0.1:8082", "127.0.0.1:8082"}[i%2], tally.HTTP5xx))
		}
		s, _, span = v.read(11 * time.Second)
		lines := v.lines(11*time.Second, s, span)
		if len(lines) != 4 || !strings.Contains(lines[3], "  0.0% of 50.0%  200 retries") || !strings.Contains(lines[0], "failed 100.0%") {
			t.Errorf("%d columns: the dead server is not in view:\n%s", width, strings.Join(lines, "\n"))
		}
		for _, l := range lines {
			if ansi.StringWidth(l) >= width {
				t.Errorf("%d columns: %d are taken by %q", width, ansi.StringWidth(l), l)
			}
		}
	}
}

func TestNarrowTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		opt := options()
		opt.Terminal, opt.Colour, opt.Width = true, true, 40
		v := Start(&out, opt)
		v.Meter().Add(hit(time.Millisecond, time.Millisecond, "127.0.0.1:1", tally.Timeout))
		time.Sleep(600 * time.Millisecond)
		v.Stop()
		for line := range strings.SplitSeq(out.String(), "\n") {
			if n := ansi.StringWidth(line); n > 39 {
				t.Errorf("a line of %d columns: %q", n, line)
			}
		}
	})
}

func TestNilView(t *testing.T) {
	var v *View
	if m := v.Meter(); m != nil {
		t.Errorf("a nil View has meter %v", m)
	}
	v.Stop()
}

func TestClip(t *testing.T) {
	for text, want := range map[string]string{"abc": "abc", "a\x1b[2Jb": "a?[2Jb", "abcdefghijk": "abcdefghi…"} {
		if got := clip(text, 10); got != want {
			t.Errorf("clip(%q, 10) = %q, want %q", text, got, want)
		}
	}
}
