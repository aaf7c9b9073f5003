package compare

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

// interleave makes n runs of each of two kinds in ABBA order, a minute apart.
func interleave(n int, seed uint64, a, b runtest.Spec) (Set, Set) {
	base, other := Set{Name: "base"}, Set{Name: "other"}
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for round := range n {
		pair := []struct {
			spec runtest.Spec
			set  *Set
		}{{a, &base}, {b, &other}}
		if round%2 == 1 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		for _, p := range pair {
			p.spec.Started = at
			p.spec.Seed = seed
			at = at.Add(time.Minute)
			p.set.Runs = append(p.set.Runs, runtest.Record(p.spec))
		}
	}
	return base, other
}

func row(t *testing.T, table *Table, key string) Row {
	t.Helper()
	for _, r := range table.Rows {
		if r.Key == key {
			return r
		}
	}
	t.Fatalf("the table has no row %q", key)
	return Row{}
}

// TestSlowerIsFound: a system slowed by 20 % is found with six pairs, in every one of ten trials.
func TestSlowerIsFound(t *testing.T) {
	for trial := range uint64(10) {
		base, other := interleave(6, trial, runtest.Spec{Duration: 5 * time.Second}, runtest.Spec{Duration: 5 * time.Second, Slower: 1.2})
		table, err := Compare(base, other, Options{Resamples: 200})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"p50", "cpu"} {
			r := row(t, table, key)
			if !r.Significant || r.Better != "base" || *r.Relative < 0.1 || *r.Relative > 0.3 {
				t.Errorf("trial %d, %s: significant %v, better %q, difference %+.1f %%, p %.4f; want about +20 %% and base",
					trial, key, r.Significant, r.Better, 100**r.Relative, *r.PHolm)
			}
			in := r.RelativeInterval
			if in == nil || in.Lo > *r.Relative || in.Hi < *r.Relative || in.Lo <= 0 || in.Method != OrderStatistics {
				t.Errorf("trial %d, %s: interval %+v around %v", trial, key, in, *r.Relative)
			}
		}
	}
}

// TestSameIsNotFound: of two sets of the same system at most one row in twenty differs. Holm's correction
// promises more: at most one table in twenty.
func TestSameIsNotFound(t *testing.T) {
	const trials = 40
	rows, found, tables := 0, 0, 0
	for trial := range uint64(trials) {
		spec := runtest.Spec{Duration: 2 * time.Second, Capacity: 0}
		base, other := interleave(6, 1000+trial, spec, spec)
		table, err := Compare(base, other, Options{Resamples: 200})
		if err != nil {
			t.Fatal(err)
		}
		shows := 0
		for _, r := range table.Rows {
			rows++
			if r.Significant {
				shows = 1
				found++
			}
		}
		tables += shows
	}
	if found*20 > rows {
		t.Errorf("%d of %d rows differ between sets of the same system, want at most one in twenty", found, rows)
	}
	// 5 % of 40 tables are 2; 7 or more would happen once in a hundred times by chance.
	if tables > 6 {
		t.Errorf("%d of %d tables show a difference between sets of the same system, want about 2 at most", tables, trials)
	}
}

func TestDriftCancelsInPairs(t *testing.T) {
	base, other := interleave(6, 1, runtest.Spec{Noise: 1e-9}, runtest.Spec{Noise: 1e-9})
	for k := range 6 { // the machine gets slower by 30 % a pair, and the other side is 1 ms slower
		base.Runs[k].Latency.P50 = 0.010 * (1 + 0.3*float64(k))
		other.Runs[k].Latency.P50 = base.Runs[k].Latency.P50 + 0.001
	}
	table, err := Compare(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := row(t, table, "p50")
	if !near(r.Difference, 0.001, 1e-12) || !near(r.Interval.Lo, 0.001, 1e-12) || !near(r.Interval.Hi, 0.001, 1e-12) {
		t.Errorf("difference %v in [%v, %v], want 1 ms whatever the drift", r.Difference, r.Interval.Lo, r.Interval.Hi)
	}
}

func TestUnlikeRunsAreRefused(t *testing.T) {
	spec := runtest.Spec{Duration: time.Second}
	for name, c := range map[string]struct {
		change func(*run.Record)
		want   string
		fatal  bool
	}{
		"rate":     {func(r *run.Record) { r.RequestedRate = 400 }, "rate 200 (2 runs), 400 (2 runs)", true},
		"scenario": {func(r *run.Record) { r.Scenario = "site" }, "scenario mix (2 runs), site (2 runs)", true},
		"pace":     {func(r *run.Record) { r.Pace = "poisson" }, "pace constant (2 runs), poisson (2 runs)", true},
		"duration": {func(r *run.Record) { r.Duration = 30 }, "duration 1 s (2 runs), 30 s (2 runs)", true},
		"machine":  {func(r *run.Record) { r.Env.Cores = 64 }, "64 cores", true},
		"nginx":    {func(r *run.Record) { r.Env.Nginx = "1.29.7" }, "nginx version 1.22.1 (2 runs), 1.29.7 (2 runs)", false},
		"commit":   {func(r *run.Record) { r.Env.Commit = "" }, "commit unknown (2 runs), 0123abc (2 runs)", false},
	} {
		base, other := interleave(2, 1, spec, spec)
		for _, r := range other.Runs {
			c.change(r)
		}
		table, err := Compare(base, other, Options{})
		var unlike *UnlikeError
		if c.fatal != errors.As(err, &unlike) {
			t.Errorf("%s: Compare = %v, refusal wanted: %v", name, err, c.fatal)
			continue
		}
		if c.fatal {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: Compare = %v, want %q in it", name, err, c.want)
			}
			if table, err = Compare(base, other, Options{Unlike: true}); err != nil {
				t.Errorf("%s: Compare of unlike runs as asked: %v", name, err)
				continue
			}
		}
		if !strings.Contains(strings.Join(table.Notes, "\n"), c.want) {
			t.Errorf("%s: notes %q, want %q in them", name, table.Notes, c.want)
		}
		if _, err := Compare(base, other, Options{By: map[string]string{"machine": "cores", "duration": "duration"}[name]}); name == "machine" && err != nil {
			t.Errorf("compared by cores, other cores are the point: %v", err)
		}
	}
}

func TestUselessRunsAreLeftOutAndCounted(t *testing.T) {
	base, other := interleave(3, 1, runtest.Spec{}, runtest.Spec{})
	base.Runs[0].Generator.SendRatio = 0.8
	other.Runs[1].Partial = true
	other.Runs[2].Partial = true
	table, err := Compare(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Base.Runs) != 2 || len(table.Other.Runs) != 1 || table.Pairs != 1 {
		t.Errorf("used %d and %d runs in %d pairs, want 2 and 1 in 1", len(table.Base.Runs), len(table.Other.Runs), table.Pairs)
	}
	notes := strings.Join(table.Notes, "\n")
	for _, want := range []string{
		"1 run of base left out: the generator sent less than 99 % of the rate",
		"2 runs of other left out: ended before its time",
		"2 and 1 runs make 1 pair",
		"nothing can be significant",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes:\n%s\nwant %q in them", notes, want)
		}
	}
	for _, r := range base.Runs {
		r.Partial = true
	}
	for _, r := range other.Runs {
		r.Partial = true
	}
	if _, err := Compare(base, other, Options{}); err == nil {
		t.Error("Compare without a usable run, want an error")
	}
}

func TestRunsNotInterleavedAreNoted(t *testing.T) {
	base, other := interleave(4, 1, runtest.Spec{}, runtest.Spec{})
	for _, r := range other.Runs {
		r.Started = r.Started.Add(time.Hour)
	}
	table, err := Compare(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if table.Interleaved || !strings.Contains(strings.Join(table.Notes, "\n"), "not interleaved") {
		t.Errorf("interleaved %v, notes %q", table.Interleaved, table.Notes)
	}
}

func TestSameRunOnBothSides(t *testing.T) {
	base, _ := interleave(2, 1, runtest.Spec{}, runtest.Spec{})
	if _, err := Compare(base, base, Options{}); err == nil || !strings.Contains(err.Error(), "both sides") {
		t.Errorf("Compare of a set with itself = %v, want an error", err)
	}
}

func TestSearchesGiveCapacity(t *testing.T) {
	base, other := interleave(4, 1, runtest.Spec{Capacity: 8000}, runtest.Spec{Capacity: 16000})
	table, err := Compare(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 1 || table.Tests() != 1 || table.Rows[0].Key != "capacity" || table.Rows[0].Better != "other" {
		t.Errorf("rows %+v, want the capacity only, better in other", table.Rows)
	}
}

// TestWhatCantRejectIsNoTest: one search a side is told, but does not make the other rows harder to tell.
func TestWhatCantRejectIsNoTest(t *testing.T) {
	base, other := interleave(6, 3, runtest.Spec{}, runtest.Spec{Slower: 1.3})
	one, two := interleave(1, 4, runtest.Spec{Capacity: 8000}, runtest.Spec{Capacity: 6000})
	before, err := Compare(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	base.Runs, other.Runs = append(base.Runs, one.Runs...), append(other.Runs, two.Runs...)
	after, err := Compare(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := row(t, after, "capacity"); r.P != nil || r.Untested != TooFew || r.Significant {
		t.Errorf("capacity of one search a side: p %v, untested %q; want none and %q", r.P, r.Untested, TooFew)
	}
	if a, b := *row(t, before, "p50").PHolm, *row(t, after, "p50").PHolm; a != b || before.Tests() != after.Tests() {
		t.Errorf("p50: p %v of %d tests, with the searches %v of %d; want the same", a, before.Tests(), b, after.Tests())
	}
	if r := row(t, after, "errors"); r.Untested != AllEqual {
		t.Errorf("errors, none on both sides: untested %q, want %q", r.Untested, AllEqual)
	}
}

func TestBy(t *testing.T) {
	var runs []*run.Record
	for i, layout := range []string{"fork", "seed", "fork", ""} {
		r := runtest.Record(runtest.Spec{Seed: uint64(i)})
		r.Layout = layout
		r.Env.Nginx = fmt.Sprint("1.2", i%2)
		runs = append(runs, r)
	}
	names := func(sets []Set) (out []string) {
		for _, s := range sets {
			out = append(out, fmt.Sprintf("%s:%d", s.Name, len(s.Runs)))
		}
		return out
	}
	for _, c := range []struct {
		key     string
		want    []string
		without int
	}{
		{"layout", []string{"fork:2", "seed:1"}, 1},
		{"nginx", []string{"1.20:2", "1.21:2"}, 0},
		{"env.nginx", []string{"1.20:2", "1.21:2"}, 0},
		{"rate", []string{"200:4"}, 0},
		{"nonsense", nil, 4},
	} {
		sets, without, err := By(runs, c.key)
		if diff := cmp.Diff(c.want, names(sets)); err != nil || diff != "" || len(without) != c.without {
			t.Errorf("By(%q) = %v, %d without, %v; want %v, %d", c.key, names(sets), len(without), err, c.want, c.without)
		}
	}
	if _, _, err := By(runs, "groups"); err == nil {
		t.Error("By(groups) = no error, want one: it is a list")
	}
}

func TestEvenness(t *testing.T) {
	record := func(workers ...[]int64) *run.Record {
		g := run.Group{}
		for _, ws := range workers {
			u := run.Upstream{}
			for i, n := range ws {
				u.Workers = append(u.Workers, run.Worker{PID: i, Requests: n})
			}
			g.Upstreams = append(g.Upstreams, u)
		}
		return &run.Record{Groups: []run.Group{g}}
	}
	for _, c := range []struct {
		name string
		r    *run.Record
		want float64
		ok   bool
	}{
		{"no workers known", record(nil), 0, false},
		{"one each", record([]int64{100}, []int64{7}), 1, true},
		{"even", record([]int64{50, 50}), 1, true},
		{"one of four does all", record([]int64{100, 0, 0, 0}), 0.25, true},
		{"Jain, Chiu and Hawe 1984: x of n users served alike gives x/n", record([]int64{10, 10, 10, 0, 0}), 0.6, true},
		{"weighted by requests", record([]int64{100, 0}, []int64{150, 150}), 0.875, true},
	} {
		if got, ok := Evenness(c.r); ok != c.ok || !near(got, c.want, 1e-12) {
			t.Errorf("%s: Evenness = %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}
