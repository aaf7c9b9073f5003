package compare

import (
	"fmt"
	"math"

	"balanceo/results/run"
)

// Options say how to compare. The zero value of each field stands for its default.
type Options struct {
	By         string  // the key by which the sets were made; empty: they were named one by one
	Alpha      float64 // chance of a false alarm in a table; default 0.05
	Confidence float64 // of the intervals; default 0.95
	Seed       uint64  // of the bootstrap; default 1
	Resamples  int     // of the bootstrap; default 5000
	Unlike     bool    // compare runs of other rates, scenarios or machines too, with a note
}

func (o *Options) defaults() {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Confidence == 0 {
		o.Confidence = 0.95
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Resamples == 0 {
		o.Resamples = defaultResamples
	}
}

// Side is one set in a table.
type Side struct {
	Name     string      `json:"name"`
	Runs     []string    `json:"runs"`     // ids that were used, oldest first
	Searches []string    `json:"searches"` // ids of searches for the highest rate
	Excluded []Exclusion `json:"excluded"`
}

// Table compares two sets, a row a metric.
type Table struct {
	By          string   `json:"by,omitempty"`
	Base        Side     `json:"base"`
	Other       Side     `json:"other"`
	Pairs       int      `json:"pairs"`
	Interleaved bool     `json:"interleaved"` // the pairs follow one another in time
	Alpha       float64  `json:"alpha"`
	Seed        uint64   `json:"seed"`
	Rows        []Row    `json:"rows"`
	Notes       []string `json:"notes"`
}

// Row is one metric in both sets.
type Row struct {
	Metric Metric `json:"-"`
	Key    string `json:"metric"`
	Unit   string `json:"unit"`
	// Base and Other are the figures of the runs, in the order of time.
	Base        []float64 `json:"base"`
	Other       []float64 `json:"other"`
	BaseMedian  float64   `json:"base_median"`
	OtherMedian float64   `json:"other_median"`
	// Difference is the median of the paired differences, other less base, in Unit. Without pairs it is the
	// difference of the medians.
	Difference float64   `json:"difference"`
	Interval   *Interval `json:"interval"`  // of Difference; null with too few pairs
	Bootstrap  *Interval `json:"bootstrap"` // of Difference, for who prefers it
	// Relative is the median of the paired differences as parts of the base's value in the pair: 0.2 is 20 % more.
	// Null where a base is 0. Of runs whose luck changes from pair to pair it is the steadier of the two.
	Relative         *float64  `json:"relative"`
	RelativeInterval *Interval `json:"relative_interval"`
	P                *float64  `json:"p"`      // Mann-Whitney; null where there is nothing to test
	PHolm            *float64  `json:"p_holm"` // corrected for the rows of the table
	// Significant is PHolm < alpha. Only then may Difference be called one.
	Significant bool   `json:"significant"`
	Better      string `json:"better,omitempty"` // which side, where Significant
	Untested    string `json:"untested,omitempty"`
	Needed      *int   `json:"needed"` // runs a side to show a difference like this one; null where none would do
}

// Why a row was not tested.
const (
	AllEqual = "all equal"
	TooFew   = "too few runs"
)

// Compare sets other against base. It fails with an UnlikeError where the runs differ in more than the key.
func Compare(base, other Set, opt Options) (*Table, error) {
	opt.defaults()
	t := &Table{By: opt.By, Alpha: opt.Alpha, Seed: opt.Seed, Rows: []Row{}, Notes: []string{}}
	baseRated, baseSearches, baseExcluded := sift(base.Runs)
	otherRated, otherSearches, otherExcluded := sift(other.Runs)
	t.Base = Side{base.Name, ids(baseRated), ids(baseSearches), baseExcluded}
	t.Other = Side{other.Name, ids(otherRated), ids(otherSearches), otherExcluded}
	all := append(append([]*run.Record{}, baseRated...), otherRated...)
	if shared := sharedRuns(base.Runs, other.Runs); len(shared) > 0 {
		return nil, fmt.Errorf("run %q is on both sides", shared[0])
	}
	if len(all)+len(baseSearches)+len(otherSearches) == 0 {
		return nil, fmt.Errorf("no run of %q and %q can be used: all %d were excluded",
			base.Name, other.Name, len(base.Runs)+len(other.Runs))
	}
	fatal := unlike(all, opt.By, true)
	if len(fatal) > 0 && !opt.Unlike {
		return nil, &UnlikeError{fatal}
	}
	for _, d := range append(fatal, unlike(all, opt.By, false)...) {
		t.Notes = append(t.Notes, "the runs differ in "+d)
	}
	t.Notes = append(t.Notes, mixed(base.Name, base.Runs, opt.By)...)
	t.Notes = append(t.Notes, mixed(other.Name, other.Runs, opt.By)...)
	t.Pairs = min(len(baseRated), len(otherRated))
	t.Interleaved = interleaved(baseRated, otherRated)
	for _, m := range Metrics() {
		b, o := baseRated, otherRated
		if m.Search {
			b, o = baseSearches, otherSearches
		}
		if row, ok := newRow(m, b, o, opt); ok {
			t.Rows = append(t.Rows, row)
		}
	}
	t.judge(opt)
	t.note()
	return t, nil
}

func ids(runs []*run.Record) []string {
	out := make([]string, len(runs))
	for i, r := range runs {
		out[i] = r.ID
	}
	return out
}

func sharedRuns(a, b []*run.Record) []string {
	seen := map[string]bool{}
	for _, r := range a {
		seen[r.ID] = true
	}
	var shared []string
	for _, r := range b {
		if seen[r.ID] {
			shared = append(shared, r.ID)
		}
	}
	return shared
}

// interleaved tells whether every pair was over before the next one began.
func interleaved(a, b []*run.Record) bool {
	n := min(len(a), len(b))
	for k := range n - 1 {
		for _, now := range []*run.Record{a[k], b[k]} {
			for _, next := range []*run.Record{a[k+1], b[k+1]} {
				if next.Started.Before(now.Started) {
					return false
				}
			}
		}
	}
	return n > 1
}

// newRow takes the figures of one metric. False where a side has none.
func newRow(m Metric, base, other []*run.Record, opt Options) (Row, bool) {
	row := Row{Metric: m, Key: m.Key, Unit: string(m.Unit)}
	take := func(runs []*run.Record) (all []float64, has []bool) {
		for _, r := range runs {
			v, ok := m.Of(r)
			if ok {
				all = append(all, v)
			}
			has = append(has, ok)
		}
		return all, has
	}
	var hasBase, hasOther []bool
	row.Base, hasBase = take(base)
	row.Other, hasOther = take(other)
	if len(row.Base) == 0 || len(row.Other) == 0 {
		return row, false
	}
	row.BaseMedian, row.OtherMedian = Median(row.Base), Median(row.Other)
	row.Difference = row.OtherMedian - row.BaseMedian
	var differences, relatives []float64
	for k := range min(len(base), len(other)) {
		if hasBase[k] && hasOther[k] {
			b, _ := m.Of(base[k])
			o, _ := m.Of(other[k])
			differences = append(differences, o-b)
			if b != 0 {
				relatives = append(relatives, o/b-1)
			}
		}
	}
	if len(differences) == 0 && row.BaseMedian != 0 {
		relatives = []float64{row.Difference / row.BaseMedian}
	}
	if len(differences) > 0 {
		row.Difference = Median(differences)
	}
	row.Interval = opt.interval(differences)
	if i, ok := BootstrapInterval(differences, opt.Confidence, opt.Seed, opt.Resamples); ok {
		row.Bootstrap = &i
	}
	if len(relatives) > 0 && len(relatives) >= len(differences) {
		relative := Median(relatives)
		row.Relative, row.RelativeInterval = &relative, opt.interval(relatives)
	}
	return row, true
}

// interval is the exact one where there is one, else the bootstrap's.
func (o *Options) interval(values []float64) *Interval {
	if i, ok := ExactInterval(values, o.Confidence); ok {
		return &i
	}
	if i, ok := BootstrapInterval(values, o.Confidence, o.Seed, o.Resamples); ok {
		return &i
	}
	return nil
}

// judge tests the rows, corrects the p values for their number and says which side is better.
func (t *Table) judge(opt Options) {
	ps := make([]float64, len(t.Rows))
	tests := 0
	for i := range t.Rows {
		row := &t.Rows[i]
		ps[i] = MannWhitney(row.Base, row.Other)
		switch {
		case math.IsNaN(ps[i]):
			row.Untested = AllEqual
		case LeastP(len(row.Base), len(row.Other)) >= opt.Alpha:
			// A test that can't reject anything is none (Tarone 1990), and costs the others nothing.
			ps[i], row.Untested = math.NaN(), TooFew
		default:
			tests++
		}
	}
	corrected := Holm(ps)
	for i := range t.Rows {
		row := &t.Rows[i]
		if math.IsNaN(ps[i]) {
			continue
		}
		row.P, row.PHolm = &ps[i], &corrected[i]
		row.Significant = corrected[i] < opt.Alpha
		if row.Significant {
			row.Better = t.Base.Name
			if row.OtherMedian > row.BaseMedian == (row.Metric.Better == Higher) {
				row.Better = t.Other.Name
			}
		} else if n, ok := Needed(row.Base, row.Other, opt.Alpha/float64(tests)); ok {
			row.Needed = &n
		}
	}
}

// note adds what weakens the table.
func (t *Table) note() {
	tests := 0
	for _, row := range t.Rows {
		if row.P != nil {
			tests++
		}
	}
	fewest := Fewest(t.Alpha / float64(max(1, tests)))
	if n := t.Pairs; n > 0 && n < fewest {
		t.Notes = append(t.Notes, fmt.Sprintf(
			"with %s a side nothing can be significant here: %d a side are the fewest", count(n, "run"), fewest))
	}
	if a, b := len(t.Base.Runs), len(t.Other.Runs); a != b && t.Pairs > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%d and %d runs make %s; the tests use all runs", a, b, count(t.Pairs, "pair")))
	}
	if t.Pairs > 1 && !t.Interleaved {
		t.Notes = append(t.Notes, "the runs were not interleaved: what changed on the machine meanwhile is part of the differences")
	}
	for _, side := range []Side{t.Base, t.Other} {
		for _, e := range side.Excluded {
			t.Notes = append(t.Notes, fmt.Sprintf("%s of %s left out: %s", count(len(e.Runs), "run"), side.Name, e.Reason))
		}
	}
}
