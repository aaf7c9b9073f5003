package plots

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

func sets(specs ...runtest.Spec) []compare.Set {
	var out []compare.Set
	for i, spec := range specs {
		spec.Started = time.Date(2026, 11, 23, 15, i, 0, 0, time.UTC)
		out = append(out, compare.Set{Name: spec.Layout, Runs: []*run.Record{runtest.Record(spec)}})
	}
	return out
}

// check holds every figure to what all figures promise.
func check(t *testing.T, name string, f Figure, ok bool) {
	t.Helper()
	if !ok {
		t.Errorf("%s: nothing to draw", name)
		return
	}
	if f.Title == "" || f.Caption == "" || len(f.Rows) == 0 {
		t.Errorf("%s: title %q, caption %q, %d rows of numbers; want all of them", name, f.Title, f.Caption, len(f.Rows))
	}
	for _, row := range f.Rows {
		if len(row) != len(f.Columns) {
			t.Errorf("%s: a row of %d cells under %d headings: %q", name, len(row), len(f.Columns), row)
		}
	}
	if !regexp.MustCompile(`[0-9]`).MatchString(f.Alt) {
		t.Errorf("%s: no number in the text alternative %q", name, f.Alt)
	}
	if !strings.HasPrefix(f.SVG, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 `) || !strings.Contains(f.SVG, `role="img" aria-label="`) {
		t.Errorf("%s: drawing begins %.120q", name, f.SVG)
	}
	for _, wrong := range []string{"NaN", "Inf", "<?xml", "font-family", "-0 "} {
		if strings.Contains(f.SVG, wrong) {
			t.Errorf("%s: the drawing holds %q", name, wrong)
		}
	}
}

func TestFigures(t *testing.T) {
	two := sets(runtest.Spec{Layout: "fork", Capacity: 9000}, runtest.Spec{Layout: "cluster", Capacity: 7000})
	rated := sets(runtest.Spec{Layout: "fork"}, runtest.Spec{Layout: "cluster", Slower: 1.3})
	many := sets(runtest.Spec{Layout: "a"}, runtest.Spec{Layout: "b"}, runtest.Spec{Layout: "c"}, runtest.Spec{Layout: "d"},
		runtest.Spec{Layout: "e"}, runtest.Spec{Layout: "f"}, runtest.Spec{Layout: "g"}, runtest.Spec{Layout: "h"})
	pairs := []compare.Set{{Name: "fork"}, {Name: "cluster"}}
	for k := range 16 {
		started := time.Date(2026, 11, 23, 15, k, 0, 0, time.UTC)
		pairs[k%2].Runs = append(pairs[k%2].Runs, runtest.Record(runtest.Spec{Started: started, Layout: pairs[k%2].Name, Slower: []float64{1, 1.3}[k%2]}))
	}
	tables, err := compare.Compare(pairs, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, ok := Percentiles(rated)
	check(t, "Percentiles", f, ok)
	f, ok = Percentiles(many)
	check(t, "Percentiles of eight", f, ok)
	f, ok = Capacity(two)
	check(t, "Capacity", f, ok)
	f, ok = LatencyOverTime(rated)
	check(t, "LatencyOverTime", f, ok)
	f, ok = RateOverTime(rated)
	check(t, "RateOverTime", f, ok)
	f, ok = Shares("node_app", rated)
	check(t, "Shares", f, ok)
	f, ok = Shares("node_app_api", many)
	check(t, "Shares of eight", f, ok)
	f, ok = Workers(rated[1], 1)
	check(t, "Workers", f, ok)
	f, ok = Intervals(tables[0])
	check(t, "Intervals", f, ok)
}

func TestNothingToDraw(t *testing.T) {
	empty := []compare.Set{{Name: "empty", Runs: []*run.Record{{ID: "x"}}}}
	for name, draw := range map[string]func([]compare.Set) (Figure, bool){
		"Percentiles": Percentiles, "Capacity": Capacity, "LatencyOverTime": LatencyOverTime, "RateOverTime": RateOverTime,
		"Shares":  func(s []compare.Set) (Figure, bool) { return Shares("node_app", s) },
		"Workers": func(s []compare.Set) (Figure, bool) { return Workers(s[0], 0) },
	} {
		for _, s := range [][]compare.Set{empty, {{Name: "none"}}} {
			if f, ok := draw(s); ok {
				t.Errorf("%s of a record without figures = %q, want nothing", name, f.Alt)
			}
		}
	}
}

// TestOddFigures draws what real runs hold now and then.
func TestOddFigures(t *testing.T) {
	odd := sets(runtest.Spec{Layout: "odd", Capacity: 9000})
	r := odd[0].Runs[0]
	r.Search.Steps = r.Search.Steps[:1] // one probe
	r.Search.Steps[0].P50 = 0
	f, ok := Capacity(odd)
	check(t, "Capacity of one probe", f, ok)

	one := sets(runtest.Spec{Layout: "one"})
	r = one[0].Runs[0]
	r.Series = r.Series[:1]
	f, ok = LatencyOverTime(one)
	check(t, "LatencyOverTime of a second", f, ok)
	r.Series = append(r.Series, run.Point{T: 1}) // nothing was sent
	f, ok = LatencyOverTime(one)
	check(t, "LatencyOverTime with a silent second", f, ok)
	r.Groups[0].Upstreams[1].Requests, r.Groups[0].Upstreams[1].Share = 0, 0
	r.Groups[0].Upstreams[1].Instance = `<b>&"name"`
	f, ok = Shares("node_app", one)
	check(t, "Shares with one that got nothing", f, ok)
	if strings.Contains(f.SVG, "<b>") {
		t.Error("the name of an upstream is not escaped in the drawing")
	}
	r.Groups[0].Upstreams[0].Workers = make([]run.Worker, 64)
	for i := range r.Groups[0].Upstreams[0].Workers {
		r.Groups[0].Upstreams[0].Workers[i] = run.Worker{PID: i, Requests: int64(i)}
	}
	f, ok = Workers(one[0], 0)
	check(t, "Workers, 64 of them", f, ok)
}

func TestNumbersOfShares(t *testing.T) {
	f, _ := Shares("node_app", sets(runtest.Spec{Layout: "fork"}))
	want := []string{"site1 127.0.0.1:8080", "fork", "66.7 %", "66.7 %", "1000"}
	for i, cell := range want {
		if f.Rows[0][i] != cell {
			t.Errorf("first row of Shares = %q, want %q", f.Rows[0], want)
			break
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct{ v, want float64 }{{0.3, 0.5}, {1, 1}, {1.1, 2}, {4100, 5000}, {0, 1}, {math.NaN(), 1}, {0.0021, 0.005}} {
		if got := niceStep(c.v); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("niceStep(%v) = %v, want %v", c.v, got, c.want)
		}
	}
	for _, c := range []struct{ low, high, wantLow, wantHigh float64 }{
		{0.0031, 0.019, 0.002, 0.02}, {1, 10, 1, 10}, {7, 7, 2, 20}, {950, 5100, 500, 10000},
	} {
		low, high := logRange(math.Log10(c.low), math.Log10(c.high))
		if math.Abs(math.Pow(10, low)/c.wantLow-1) > 1e-6 || math.Abs(math.Pow(10, high)/c.wantHigh-1) > 1e-6 {
			t.Errorf("logRange of %v…%v = %v…%v, want %v…%v", c.low, c.high, math.Pow(10, low), math.Pow(10, high), c.wantLow, c.wantHigh)
		}
	}
}

func TestIntervalsBeyondTheAxis(t *testing.T) {
	for _, c := range []struct {
		lo, hi, from, to float64
		left, right      ending
	}{
		{-0.1, 0.2, -0.1, 0.2, capped, capped},
		{-3, 0.2, -1, 0.2, arrow, capped},
		{-3, 3, -1, 1, arrow, arrow},
		{2, 3, 0.85, 1, open, arrow},
		{-3, -2, -1, -0.85, arrow, open},
	} {
		from, to, left, right := clip(c.lo, c.hi, 1)
		if from != c.from || to != c.to || left != c.left || right != c.right {
			t.Errorf("clip(%v, %v, 1) = %v, %v, %v, %v; want %v, %v, %v, %v", c.lo, c.hi, from, to, left, right, c.from, c.to, c.left, c.right)
		}
	}
	for _, reach := range []float64{0.02, 0.1, 0.4, 1, math.Log(widest)} {
		ticks := changeTicks(reach)
		if len(ticks) < 3 || len(ticks) > 6 {
			t.Errorf("changeTicks(%v) = %v, want 3 to 6 of them", reach, ticks)
		}
	}
}
