package compare

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"balanceo/results/run"
	"balanceo/results/units"
)

// Options say how to compare. The zero value of each field stands for its default.
type Options struct {
	By         string             // the key by which the sets were made; empty: they were named one by one
	Metrics    []string           // keys of those that are tested; default Primary
	Thresholds map[string]float64 // by the metric's key; default: the metric's own
	Unlike     bool               // compare runs of other rates, scenarios or machines too, with a note
}

func (o *Options) defaults() {
	if o.Metrics == nil {
		o.Metrics = Primary()
	}
}

const (
	alpha = 0.05 // chance of a false alarm in all tables together
	power = 0.9  // of Row.Needed
)

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
	Pairs       int      `json:"pairs"`       // of runs at a rate
	Interleaved bool     `json:"interleaved"` // the pairs follow one another in time
	Alpha       float64  `json:"alpha"`       // chance of a false alarm in the family
	Tests       int      `json:"tests"`       // in the family, all tables together
	Rows        []Row    `json:"rows"`
	Notes       []string `json:"notes"`
}

// Interval is a confidence interval.
type Interval struct {
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// Result is what a row says.
type Result string

// The results of a row.
const (
	Different Result = "different" // the interval leaves out zero and reaches beyond the threshold
	Same      Result = "same"      // the interval lies within the threshold, even where it leaves out zero
	Unknown   Result = "unknown"
)

// Row is one metric in both sets.
type Row struct {
	Metric Metric `json:"-"`
	Key    string `json:"metric"`
	Unit   string `json:"unit"`
	// Base and Other are the figures of the pairs, in the order of time: the k-th of both are a pair.
	Base  []float64 `json:"base"`
	Other []float64 `json:"other"`
	// BaseValue and OtherValue are the figures to show for the sides, and Change is from one to the other. Of a metric that
	// is tested one is the median of its side and the other what the pairs make of it, else both are medians.
	BaseValue  float64 `json:"base_value"`
	OtherValue float64 `json:"other_value"`
	// Change is from base to other: a part of the base's figure where Relative (0.2 is 20 % more), else in Unit.
	Change   float64   `json:"change"`
	Relative bool      `json:"relative"`
	Interval *Interval `json:"interval"` // of Change, at the level of the whole family; null where not tested
	P        *float64  `json:"p"`        // corrected for the family, to be held against alpha; null where not tested
	// Significant is P ≤ alpha, which is exactly where Interval leaves out 0. Only then may Change be called one.
	Significant bool    `json:"significant"`
	Threshold   float64 `json:"threshold"` // the change below which nobody cares, as Change
	Result      Result  `json:"result"`
	Better      string  `json:"better,omitempty"`   // which side, where Significant
	Untested    string  `json:"untested,omitempty"` // why
	Needed      *int    `json:"needed,omitempty"`   // pairs to tell, planned from the noise; only where Unknown

	test *signedRank
}

// Why a row was not tested.
const (
	AllEqual  = "all equal"
	TooFew    = "too few pairs"
	TooAlike  = "nearly all equal"
	ByDesign  = "follows from the rate"
	Secondary = "not tested"
	NotKnown  = "not known in every run: too many requests never got an answer"
)

// Compare sets the others against the first. It fails with an UnlikeError where the runs of two differ in more than the
// key. The tables are one family of tests.
func Compare(sets []Set, opt Options) ([]*Table, error) {
	opt.defaults()
	var tables []*Table
	for _, other := range sets[1:] {
		t, err := newTable(sets[0], other, opt)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", sets[0].Name, other.Name, err)
		}
		tables = append(tables, t)
	}
	fewest := judge(tables)
	for _, t := range tables {
		t.note(fewest)
	}
	return tables, nil
}

func newTable(base, other Set, opt Options) (*Table, error) {
	t := &Table{By: opt.By, Alpha: alpha, Rows: []Row{}, Notes: []string{}}
	baseRated, baseSearches, baseExcluded := sift(base.Runs)
	otherRated, otherSearches, otherExcluded := sift(other.Runs)
	t.Base = Side{base.Name, ids(baseRated), ids(baseSearches), baseExcluded}
	t.Other = Side{other.Name, ids(otherRated), ids(otherSearches), otherExcluded}
	if i := slices.IndexFunc(base.Runs, func(r *run.Record) bool { return slices.Contains(other.Runs, r) }); i >= 0 {
		return nil, fmt.Errorf("run %q is on both sides", base.Runs[i].ID)
	}
	rated, searches := slices.Concat(baseRated, otherRated), slices.Concat(baseSearches, otherSearches)
	if len(rated)+len(searches) == 0 {
		return nil, fmt.Errorf("no run can be used: all %d were excluded", len(base.Runs)+len(other.Runs))
	}
	differences := append(unlike(rated, opt.By, true), unlike(searches, opt.By, true)...)
	if len(differences) > 0 && !opt.Unlike {
		return nil, &UnlikeError{differences}
	}
	for _, d := range append(differences, unlike(append(rated, searches...), opt.By, false)...) {
		t.Notes = append(t.Notes, "the runs differ in "+d)
	}
	t.Notes = append(t.Notes, mixed(base.Name, base.Runs, opt.By)...)
	t.Notes = append(t.Notes, mixed(other.Name, other.Runs, opt.By)...)
	for _, side := range []struct {
		name string
		runs []*run.Record
	}{{base.Name, baseRated}, {other.Name, otherRated}} {
		t.Notes = append(append(t.Notes, failures(side.name, side.runs)...), misled(side.name, side.runs)...)
	}
	var ratedPairs []pair
	ratedPairs, t.Interleaved = inPairs(baseRated, otherRated)
	searchPairs, _ := inPairs(baseSearches, otherSearches)
	t.Pairs = len(ratedPairs)
	for _, m := range Metrics() {
		pairs := ratedPairs
		if m.Search {
			pairs = searchPairs
		}
		if row, ok := newRow(m, pairs, opt); ok {
			t.Rows = append(t.Rows, row)
		}
	}
	return t, nil
}

func ids(runs []*run.Record) []string {
	out := make([]string, len(runs))
	for i, r := range runs {
		out[i] = r.ID
	}
	return out
}

// newRow takes the figures of one metric. False where no pair has them.
func newRow(m Metric, pairs []pair, opt Options) (Row, bool) {
	row := Row{Metric: m, Key: m.Key, Unit: string(m.Unit), Threshold: m.Threshold, Result: Unknown}
	if threshold, given := opt.Thresholds[m.Key]; given {
		row.Threshold = threshold
	}
	rateGiven := false
	for _, p := range pairs {
		b, ok := m.Of(p.base)
		o, both := m.Of(p.other)
		if ok && both {
			row.Base, row.Other = append(row.Base, b), append(row.Other, o)
		}
		rateGiven = rateGiven || p.base.RequestedRate > 0
	}
	if len(row.Base) == 0 {
		return row, false
	}
	row.Relative = m.relative() && min(slices.Min(row.Base), slices.Min(row.Other)) > 0
	row.test = newSignedRank(row.differences())
	row.BaseValue, row.OtherValue = Median(row.Base), Median(row.Other)
	switch {
	case slices.ContainsFunc(pairs, func(p pair) bool { return m.unknown(p.base) || m.unknown(p.other) }):
		row.Untested = NotKnown
	case m.ByDesign && rateGiven:
		row.Untested = ByDesign
	case !slices.Contains(opt.Metrics, m.Key):
		row.Untested = Secondary
	default:
		// What is known of the change comes from the pairs: one side is its median, the other what the change makes of it;
		// of what is bounded the one that stays within bounds.
		shift := row.test.estimate()
		if row.Relative || (shift >= 0) == (m.Unit != units.Index) {
			row.OtherValue = row.shifted(row.BaseValue, shift)
		} else {
			row.BaseValue = row.shifted(row.OtherValue, -shift)
		}
	}
	row.Change = row.OtherValue - row.BaseValue
	if row.Relative {
		row.Change = row.OtherValue/row.BaseValue - 1
	}
	return row, true
}

// differences are those of the pairs, of logarithms where the change is relative.
func (r *Row) differences() []float64 {
	out := make([]float64, len(r.Base))
	for k, b := range r.Base {
		out[k] = r.Other[k] - b
		if r.Relative {
			out[k] = math.Log(r.Other[k] / b)
		}
	}
	return out
}

// shifted is a figure moved by a difference.
func (r *Row) shifted(value, difference float64) float64 {
	if r.Relative {
		return value * math.Exp(difference)
	}
	return value + difference
}

// asChange writes a difference as Change is.
func (r *Row) asChange(difference float64) float64 {
	if r.Relative {
		return math.Expm1(difference)
	}
	return difference
}

// noise is the standard deviation of the differences.
func (r *Row) noise() float64 { return stat.StdDev(r.differences(), nil) }

// note adds what weakens the table.
func (t *Table) note(fewest int) {
	if n := t.Pairs; n > 0 && n < fewest {
		t.Notes = append(t.Notes, fmt.Sprintf("with %s nothing can be significant here: %d are the fewest", units.Count(int64(n), "pair"), fewest))
	}
	if a, b := len(t.Base.Runs), len(t.Other.Runs); a != b && t.Pairs > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%d and %d runs make %s; the others are not used", a, b, units.Count(int64(t.Pairs), "pair")))
	}
	if t.Pairs > 1 && !t.Interleaved {
		t.Notes = append(t.Notes, "the runs were not interleaved: what changed on the machine meanwhile is part of the differences")
	}
	for _, side := range []Side{t.Base, t.Other} {
		for _, e := range side.Excluded {
			t.Notes = append(t.Notes, fmt.Sprintf("%s of %s left out: %s", units.Count(int64(len(e.Runs)), "run"), side.Name, e.Reason))
		}
	}
}
