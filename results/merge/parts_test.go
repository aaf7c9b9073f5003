package merge

import (
	"strings"
	"testing"
	"time"

	"balanceo/results/run"
)

// TestNotAtOnce: parts of a load that was never there are no whole.
func TestNotAtOnce(t *testing.T) {
	zero := 0.0
	for _, c := range []struct {
		name  string
		late  time.Duration
		known bool
		told  bool
		want  bool
	}{
		{"a week later", 7 * 24 * time.Hour, false, false, false},
		{"a week later by one clock", 7 * 24 * time.Hour, true, true, false},
		{"a clock that is not known is off", 7 * 24 * time.Hour, false, true, true},
		{"by hand", 300 * time.Millisecond, false, false, true},
	} {
		parts := split(t, hits(400), 2)
		for i, r := range parts {
			r.Started = start.Add(time.Duration(i) * c.late)
			if r.Part.ClockOffset = nil; c.known {
				r.Part.ClockOffset = &zero
			}
			if r.Part.StartAt = start; !c.told {
				r.Part.StartAt = time.Time{}
			}
		}
		if _, err := Records(parts); (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), "never ran at once") {
			t.Errorf("%s: Records = %v, want an error: %v", c.name, err, !c.want)
		}
	}
}

// TestPartThatSentNothing: what it had to send was not sent.
func TestPartThatSentNothing(t *testing.T) {
	parts := []*run.Record{{Requests: 100, Generator: run.Generator{SendRatio: 1}}, {Unsent: 100}}
	if g, _, _ := usage(parts, 100); g.SendRatio != 0.5 {
		t.Errorf("sent over due is %v, want 0.5", g.SendRatio)
	}
}

// TestBoundOfTheSum: what each part lost may have moved the shares of the sum, and what none of them lost has not.
func TestBoundOfTheSum(t *testing.T) {
	for _, c := range []struct {
		off  int64
		want run.Verdict
	}{{6, run.Pass}, {7, run.Fail}} {
		sum := run.Group{Method: "round_robin", Requests: 200, Verdict: run.Info, Upstreams: []run.Upstream{
			{Addr: "a:1", Weight: 1, ExpectedShare: 0.5, Requests: 100 + c.off}, {Addr: "b:1", Weight: 1, ExpectedShare: 0.5, Requests: 100 - c.off},
		}}
		part := func(bound float64) run.Group { return run.Group{Method: "round_robin", Bound: bound} }
		judge(&sum, []run.Group{part(1), part(4), part(3)}) // of rotation 1; the second lost 3, the third 2
		if sum.Verdict != c.want || sum.Bound != 6 {
			t.Errorf("%d off: %s within %v, want %s within 6", c.off, sum.Verdict, sum.Bound, c.want)
		}
	}
}

// A clock that is off is named, and what the clocks do to the sum is said; clocks that are alike are not spoken of.
func TestClocks(t *testing.T) {
	known := func(offset, bound float64) func(p *run.Part) {
		return func(p *run.Part) { p.ClockOffset, p.ClockBound = &offset, bound }
	}
	unknown := func(p *run.Part) { p.ClockOffset = nil }
	for _, c := range []struct {
		name    string
		late    time.Duration // of the second part, by its own clock
		clocks  [2]func(*run.Part)
		want    string // warning
		notWant string
	}{
		{"not known", 1500 * time.Millisecond, [2]func(*run.Part){known(0, 0.001), unknown}, "began 1.5s apart by their own clocks, and how far these are apart is not known: so much of", "part 2's"},
		{"equal", 0, [2]func(*run.Part){known(0, 0.001), known(0.0004, 0.001)}, "", ""},
		{"equal, a long way off", 0, [2]func(*run.Part){known(0, 0.3), known(0.25, 0.3)}, "The parts began within 850ms of each other, as far as the round trips", "part 2's"},
		{"equal and late", 1500 * time.Millisecond, [2]func(*run.Part){known(0, 0.001), known(0.0004, 0.001)}, "The parts began 1.5s apart: so much of", "part 2's"},
		{
			"shifted, begun together", 2 * time.Second,
			[2]func(*run.Part){known(0, 0.001), known(2, 0.001)},
			"The parts began within 2ms of each other by one clock; clocks are up to 2.002s apart, and part 2's is 2s ahead of that of where they met. The sum is right", "",
		},
		{
			"shifted, begun apart", 0,
			[2]func(*run.Part){known(0, 0.001), known(-2, 0.001)},
			"The parts began 2s apart; clocks are up to 2.002s apart, and part 2's is 2s behind that of where they met: so much of", "",
		},
		{"both shifted alike", 0, [2]func(*run.Part){known(-5, 0.001), known(-5, 0.001)}, "", ""},
	} {
		parts := split(t, hits(400), 2) // the second comes first
		parts[0].Started, parts[1].Started = start.Add(c.late), start
		c.clocks[0](parts[1].Part)
		c.clocks[1](parts[0].Part)
		m, err := Records(parts)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(m.Warnings, "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) || c.notWant != "" && strings.Contains(got, c.notWant) {
			t.Errorf("%s: warnings %q, want %q and not %q", c.name, got, c.want, c.notWant)
		}
	}
}
