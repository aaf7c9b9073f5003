package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
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

// two compares two sets.
func two(base, other Set, opt Options) (*Table, error) {
	tables, err := Compare([]Set{base, other}, opt)
	if err != nil {
		return nil, err
	}
	return tables[0], nil
}

// consistent checks what must hold for any row: its columns, change, interval, p and result don't contradict each other.
func consistent(t *testing.T, table *Table) {
	t.Helper()
	for _, r := range table.Rows {
		change := r.OtherValue - r.BaseValue
		if r.Relative {
			change = r.OtherValue/r.BaseValue - 1
		}
		if !near(change, r.Change, 1e-9) {
			t.Errorf("%s: %v and %v make a change of %v, not %v", r.Key, r.BaseValue, r.OtherValue, change, r.Change)
		}
		if (r.P == nil) != (r.Interval == nil) || (r.P == nil) != (r.Untested != "") {
			t.Errorf("%s: p %v, interval %v, untested %q: all or none", r.Key, r.P, r.Interval, r.Untested)
		}
		if r.P == nil {
			if r.Significant || r.Result == Different {
				t.Errorf("%s: %v without a test", r.Key, r.Result)
			}
			continue
		}
		without0 := r.Interval.Lo > 0 || r.Interval.Hi < 0
		within := max(-r.Interval.Lo, r.Interval.Hi) <= r.Threshold
		want := Unknown
		if within {
			want = Same
		} else if without0 {
			want = Different
		}
		if r.Significant != without0 || r.Significant != (*r.P <= table.Alpha) || r.Result != want || (r.Better != "") != r.Significant ||
			r.Change < r.Interval.Lo-1e-12 || r.Change > r.Interval.Hi+1e-12 {
			t.Errorf("%s: change %v in %+v, p %v, significant %v, better %q, result %s", r.Key, r.Change, *r.Interval, *r.P, r.Significant, r.Better, r.Result)
		}
	}
}

// TestSlowerIsFound: a system slowed by 20 % is found with ten pairs, in every one of ten trials.
func TestSlowerIsFound(t *testing.T) {
	for trial := range uint64(10) {
		base, other := interleave(10, trial, runtest.Spec{Duration: 5 * time.Second}, runtest.Spec{Duration: 5 * time.Second, Slower: 1.2})
		table, err := two(base, other, Options{})
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, table)
		for _, key := range []string{"p50", "cpu"} {
			if r := row(t, table, key); r.Result != Different || r.Better != "base" || r.Change < 0.1 || r.Change > 0.3 {
				t.Errorf("trial %d, %s: %s, better %q, change %+.1f %%, p %.4f; want about +20 %% and base",
					trial, key, r.Result, r.Better, 100*r.Change, *r.P)
			}
		}
	}
}

// TestSameIsNotFound: of 40 comparisons of the same system, 5 % of which may err, two show a difference.
func TestSameIsNotFound(t *testing.T) {
	const trials = 40
	found := 0
	for trial := range uint64(trials) {
		spec := runtest.Spec{Duration: 2 * time.Second}
		base, other := interleave(10, 1000+trial, spec, spec)
		table, err := two(base, other, Options{})
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, table)
		for _, r := range table.Rows {
			if r.Significant {
				found++
				break
			}
		}
	}
	if found > 6 { // 7 or more happen once in a hundred times by chance
		t.Errorf("%d of %d tables show a difference between sets of the same system, want about 2 at most", found, trials)
	}
}

// TestResults: with noise that is known, each result where it belongs.
func TestResults(t *testing.T) {
	base, other := interleave(12, 1, runtest.Spec{Noise: 1e-9}, runtest.Spec{Noise: 1e-9})
	for k := range 12 {
		wiggle := 1 + 0.001*float64(k%5-2)
		b, o := base.Runs[k], other.Runs[k]
		b.Latency.P50, o.Latency.P50 = 0.010, 0.0102*wiggle                          // real and trivial
		b.Latency.P99, o.Latency.P99 = 0.100, 0.130*wiggle                           // different
		b.Servers.CPUPerRequest, o.Servers.CPUPerRequest = 50e-6, 50e-6*(2*wiggle-1) // the same
		b.SuccessRatio, o.SuccessRatio = 1, 1-0.01*float64(k%2)*float64(k%3)         // who knows
		b.Servers.RSS, o.Servers.RSS = 100<<20, 200<<20                              // not tested
	}
	table, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, table)
	for key, want := range map[string]string{
		"p50": "same within 5 %; slightly better: base", "p99": "different, better: base",
		"cpu": "same within 5 %", "memory": "not tested", "throughput": "follows from the rate", "draws": "follows from the rate",
	} {
		if r := row(t, table, key); r.Outcome() != want {
			t.Errorf("%s: %q, want %q", key, r.Outcome(), want)
		}
	}
	if r := row(t, table, "errors"); r.Result != Unknown || r.Needed == nil || *r.Needed <= 12 {
		t.Errorf("errors: %s, %v pairs to tell; want it unknown, and how many", r.Result, r.Needed)
	}
	table, err = two(base, other, Options{Metrics: []string{"p50", "memory"}, Thresholds: map[string]float64{"p50": 0.01}})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, table)
	if p50, memory := row(t, table, "p50"), row(t, table, "memory"); p50.Result != Different || memory.Result != Different || table.Tests != 2 {
		t.Errorf("of two metrics and a threshold of 1 %%: p50 %s, memory %s, %d tests; want both different", p50.Result, memory.Result, table.Tests)
	}
	for _, r := range append(base.Runs, other.Runs...) {
		r.RequestedRate = 0
	}
	if table, err = two(base, other, Options{}); err != nil || row(t, table, "throughput").Untested == ByDesign {
		t.Errorf("throughput of runs without a rate is no finding (%v)", err)
	}
}

// TestPairs: rounds before neighbours, in any order, and what remains is left out.
func TestPairs(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		order       string // sides in the order of time; a digit is the round of the run before it
		want        string
		interleaved bool
	}{
		"ABBA":             {"abba", "0-1 3-2", true},
		"ABAB":             {"abab", "0-1 2-3", true},
		"one too many":     {"aabba", "1-2 4-3", true},
		"a run is missing": {"abbaab", "0-1 3-2 4-5", true},
		"one after other":  {"aabb", "0-2 1-3", false},
		"rounds":           {"a1a2b2b1", "0-3 1-2", false},
		"rounds missing":   {"a1b1a2b3a4b4", "0-1 4-5", true},
		"rounds in turn":   {"a1b1b2a2a3a4b4", "0-1 3-2 5-6", true},
	} {
		var base, other []*run.Record
		for _, letter := range c.order {
			r := &run.Record{ID: strconv.Itoa(len(base) + len(other)), Started: at.Add(time.Duration(len(base)+len(other)) * time.Minute)}
			switch letter {
			case 'a':
				base = append(base, r)
			case 'b':
				other = append(other, r)
			default:
				last := slices.Concat(base, other)
				slices.SortFunc(last, func(a, b *run.Record) int { return a.Started.Compare(b.Started) })
				last[len(last)-1].Round = int(letter - '0')
			}
		}
		pairs, interleaved := inPairs(base, other)
		var got []string
		for _, p := range pairs {
			got = append(got, p.base.ID+"-"+p.other.ID)
		}
		if text := strings.Join(got, " "); text != c.want || interleaved != c.interleaved {
			t.Errorf("%s: %s, interleaved %v; want %s, %v", name, text, interleaved, c.want, c.interleaved)
		}
	}
}

// TestDriftHidesNothing: a machine that gets slower by 60 % in the course of a campaign hits both sides alike, and a
// difference of 5 % is found all the same.
func TestDriftHidesNothing(t *testing.T) {
	base, other := interleave(10, 1, runtest.Spec{Noise: 1e-9}, runtest.Spec{Noise: 1e-9})
	for k := range 10 {
		drift := 0.010 * math.Pow(1.6, float64(k)/10)
		base.Runs[k].Latency.P50, other.Runs[k].Latency.P50 = drift*(1+0.002*float64(k%3)), drift*1.06*(1+0.002*float64(k%4))
	}
	table, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := row(t, table, "p50"); r.Result != Different || r.Change < 0.055 || r.Change > 0.065 {
		t.Errorf("p50 %s, change %v in %+v; want 6 %% found", r.Result, r.Change, r.Interval)
	}
}

// TestOneFamily: the tables of a campaign share one level.
func TestOneFamily(t *testing.T) {
	base, one := interleave(10, 1, runtest.Spec{}, runtest.Spec{Slower: 1.3})
	_, three := interleave(10, 2, runtest.Spec{}, runtest.Spec{})
	alone, err := two(base, one, Options{})
	if err != nil {
		t.Fatal(err)
	}
	three.Name = "third"
	together, err := Compare([]Set{base, one, three}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range together {
		consistent(t, table)
	}
	a, b := row(t, alone, "p50"), row(t, together[0], "p50")
	if alone.Tests != 3 || together[0].Tests != 6 || together[1].Tests != 6 || !near(*b.P, 2**a.P, 1e-12) || b.Interval.Lo > a.Interval.Lo {
		t.Errorf("%d tests alone, %d together; p %v and %v, intervals %+v and %+v", alone.Tests, together[0].Tests, *a.P, *b.P, a.Interval, b.Interval)
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
		table, err := two(base, other, Options{})
		var unlike *UnlikeError
		if c.fatal != errors.As(err, &unlike) {
			t.Errorf("%s: Compare = %v, refusal wanted: %v", name, err, c.fatal)
			continue
		}
		if c.fatal {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: Compare = %v, want %q in it", name, err, c.want)
			}
			if table, err = two(base, other, Options{Unlike: true}); err != nil {
				t.Errorf("%s: Compare of unlike runs as asked: %v", name, err)
				continue
			}
		}
		if !strings.Contains(strings.Join(table.Notes, "\n"), c.want) {
			t.Errorf("%s: notes %q, want %q in them", name, table.Notes, c.want)
		}
		if _, err := two(base, other, Options{By: map[string]string{"machine": "cores", "duration": "duration"}[name]}); name == "machine" && err != nil {
			t.Errorf("compared by cores, other cores are the point: %v", err)
		}
	}
}

func TestUselessRunsAreLeftOutAndCounted(t *testing.T) {
	base, other := interleave(3, 1, runtest.Spec{}, runtest.Spec{})
	base.Runs[0].Generator.SendRatio = 0.8
	other.Runs[1].Partial = true
	other.Runs[2].Partial = true
	table, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Base.Runs) != 2 || len(table.Other.Runs) != 1 || table.Pairs != 1 {
		t.Errorf("used %d and %d runs in %d pairs, want 2 and 1 in 1", len(table.Base.Runs), len(table.Other.Runs), table.Pairs)
	}
	notes := strings.Join(table.Notes, "\n")
	for _, want := range []string{
		"1 run of base left out: the generator sent less than 99 % of what was due",
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
	if _, err := two(base, other, Options{}); err == nil {
		t.Error("Compare without a usable run, want an error")
	}
}

func TestRunsNotInterleavedAreNoted(t *testing.T) {
	base, other := interleave(4, 1, runtest.Spec{}, runtest.Spec{})
	for _, r := range other.Runs {
		r.Started = r.Started.Add(time.Hour)
	}
	table, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if table.Interleaved || !strings.Contains(strings.Join(table.Notes, "\n"), "not interleaved") {
		t.Errorf("interleaved %v, notes %q", table.Interleaved, table.Notes)
	}
}

func TestSameRunOnBothSides(t *testing.T) {
	base, _ := interleave(2, 1, runtest.Spec{}, runtest.Spec{})
	if _, err := two(base, base, Options{}); err == nil || !strings.Contains(err.Error(), "both sides") {
		t.Errorf("Compare of a set with itself = %v, want an error", err)
	}
}

func TestSearchesGiveCapacity(t *testing.T) {
	base, other := interleave(8, 1, runtest.Spec{Capacity: 8000}, runtest.Spec{Capacity: 16000})
	table, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, table)
	if len(table.Rows) != 1 || table.Tests != 1 || table.Rows[0].Key != "capacity" || table.Rows[0].Better != "other" {
		t.Errorf("rows %+v, want the capacity only, better in other", table.Rows)
	}
}

// TestWhatCantRejectIsNoTest: one search a side is told, but does not make the other rows harder to tell.
func TestWhatCantRejectIsNoTest(t *testing.T) {
	base, other := interleave(8, 3, runtest.Spec{}, runtest.Spec{Slower: 1.3})
	oneSearch, otherSearch := interleave(1, 4, runtest.Spec{Capacity: 8000}, runtest.Spec{Capacity: 6000})
	before, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	base.Runs, other.Runs = append(base.Runs, oneSearch.Runs...), append(other.Runs, otherSearch.Runs...)
	after, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, after)
	if r := row(t, after, "capacity"); r.P != nil || r.Untested != TooFew || r.Significant {
		t.Errorf("capacity of one search a side: p %v, untested %q; want none and %q", r.P, r.Untested, TooFew)
	}
	if a, b := *row(t, before, "p50").P, *row(t, after, "p50").P; a != b || before.Tests != after.Tests {
		t.Errorf("p50: p %v of %d tests, with the searches %v of %d; want the same", a, before.Tests, b, after.Tests)
	}
	if r := row(t, after, "errors"); r.Untested != AllEqual {
		t.Errorf("errors, none on both sides: untested %q, want %q", r.Untested, AllEqual)
	}
}

func TestUnlikeSearchesAreRefused(t *testing.T) {
	base, other := interleave(2, 1, runtest.Spec{Capacity: 8000}, runtest.Spec{Capacity: 6000})
	for _, r := range other.Runs {
		r.Search.SLO, r.RequestedRate = "p99<20ms", 6000 // a search ends with any rate
	}
	_, err := two(base, other, Options{})
	var unlike *UnlikeError
	if !errors.As(err, &unlike) || len(unlike.Differences) != 1 || !strings.Contains(err.Error(), "SLO p99<20ms (2 runs), p99<50ms (2 runs)") {
		t.Errorf("Compare of searches for two SLOs = %v, want a refusal for that and nothing else", err)
	}
	if table, err := two(base, other, Options{Unlike: true}); err != nil || !strings.Contains(strings.Join(table.Notes, "\n"), "SLO") {
		t.Errorf("as asked: %v, %+v", err, table)
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

// TestWhatMakesRunsUnlike: each way of sending, and nothing that only looks like one.
func TestWhatMakesRunsUnlike(t *testing.T) {
	load := run.Load{Engine: "fast", Workers: 64, KeepAlive: true, Timeout: 30, Cant: 1000, Cores: 2}
	for name, c := range map[string]struct {
		change func(*run.Record)
		want   string // "" where the runs are alike
	}{
		"numbers drawn":                {func(r *run.Record) { r.Load.Cant = 10 }, "numbers drawn 10 (2 runs), 1000 (2 runs)"},
		"workers":                      {func(r *run.Record) { r.Load.Workers = 8 }, "connections up to 64 (2 runs), up to 8 (2 runs)"},
		"connections":                  {func(r *run.Record) { r.Load.Connections = 8 }, "connections 8 in turn (2 runs), up to 64 (2 runs)"},
		"no keep-alive":                {func(r *run.Record) { r.Load.KeepAlive = false }, "connections one a request (2 runs), up to 64 (2 runs)"},
		"time-out":                     {func(r *run.Record) { r.Load.Timeout = 1 }, "time-out 1 s (2 runs), 30 s (2 runs)"},
		"users":                        {func(r *run.Record) { r.Load.Users = 5 }, "users unknown (2 runs), 5 (2 runs)"},
		"engine":                       {func(r *run.Record) { r.Load.Engine = "vegeta" }, "engine fast (2 runs), vegeta (2 runs)"},
		"generator":                    {func(r *run.Record) { r.Load.Cores = 64 }, "cores of the generator 2 (2 runs), 64 (2 runs)"},
		"another machine":              {func(r *run.Record) { r.Target = "http://10.0.0.1:80" }, "target's host 10.0.0.1 (2 runs), localhost (2 runs)"},
		"another port":                 {func(r *run.Record) { r.Target = "http://127.0.0.1:9000" }, ""},
		"another loopback":             {func(r *run.Record) { r.Target = "http://[::1]:80" }, ""},
		"another port of this machine": {func(r *run.Record) { r.Target = ":9000" }, ""},
		"a target without a scheme":    {func(r *run.Record) { r.Target = "127.0.0.1:9000" }, ""},
		"a path":                       {func(r *run.Record) { r.Target = "http://127.0.0.1:80/info" }, "target's path / (2 runs), /info (2 runs)"},
		"a query":                      {func(r *run.Record) { r.Target = ":80/?cant=9" }, "target's path / (2 runs), /?cant=9 (2 runs)"},
		"a path of nothing":            {func(r *run.Record) { r.Target = "http://127.0.0.1:80/" }, ""},
		"TLS":                          {func(r *run.Record) { r.Target = "https://127.0.0.1" }, "target's scheme http (2 runs), https (2 runs)"},
		"another method":               {func(r *run.Record) { r.Routes[0].Method = "POST" }, "methods GET (2 runs), GET, POST (2 runs)"},
		"a machine that is not known":  {func(r *run.Record) { r.Env = run.Env{} }, "machine unknown (2 runs), Example CPU"},
		"another machine without one":  {func(r *run.Record) { r.Target = "10.0.0.1:80" }, "target's host 10.0.0.1 (2 runs), localhost (2 runs)"},
	} {
		base, other := interleave(2, 1, runtest.Spec{Duration: time.Second}, runtest.Spec{Duration: time.Second})
		for _, r := range base.Runs {
			r.Load = load
		}
		for _, r := range other.Runs {
			r.Load = load
			c.change(r)
		}
		_, err := two(base, other, Options{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Compare = %v, want a refusal with %q", name, err, c.want)
		}
	}
}

// TestBadRunsNeverLookGood: what went wrong is said, and no percentile is made up where too many answers are missing.
func TestBadRunsNeverLookGood(t *testing.T) {
	base, other := interleave(10, 1, runtest.Spec{}, runtest.Spec{Errors: 30})
	other.Runs[0].Missing = 45 // of 3,000: above p99, below p90
	other.Runs[1].Groups[0].Verdict = run.Fail
	base.Runs[2].Responses = 0
	base.Runs[3].Reconciliation.Unexplained = 4
	table, err := two(base, other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, table)
	notes := strings.Join(table.Notes, "\n")
	for _, want := range []string{
		"in 10 of 10 runs of other requests failed, 1.0 % of all", "in 1 of 10 runs of other the load was not shared as promised",
		"1 run of base left out: nothing was answered", "1 run of base left out: the counts of client, balancer and servers do not agree",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes:\n%s\nwant %q in them", notes, want)
		}
	}
	if r := row(t, table, "p99"); r.Untested != NotKnown {
		t.Errorf("p99 above which 45 of 3,000 may lie: untested %q, want %q", r.Untested, NotKnown)
	}
	if r := row(t, table, "p50"); r.Untested != "" {
		t.Errorf("p50: untested %q, want it tested", r.Untested)
	}
}
