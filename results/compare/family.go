package compare

import (
	"math"
	"slices"
)

// judge tests the rows of all tables as one family and says what each means. It returns the number of pairs from which
// a row could be significant.
func judge(tables []*Table) (fewest int) {
	rows := decide(tables)
	planned := alpha / float64(max(1, len(rows)))
	for _, row := range rows {
		if row.Result == Unknown && len(row.Base) > 2 {
			n := Needed(row.noise(), row.threshold(), planned, power)
			row.Needed = &n
		}
	}
	return Fewest(planned)
}

// decide is judge without a plan of what would tell more; it returns the rows that were tested, or could be with more pairs.
func decide(tables []*Table) (rows []*Row) {
	for _, t := range tables {
		for i := range t.Rows {
			if row := &t.Rows[i]; row.Untested == "" && !slices.Equal(row.Base, row.Other) {
				rows = append(rows, row)
			}
		}
	}
	tests := testable(rows)
	planned := alpha / float64(max(1, len(rows)))
	for _, t := range tables {
		t.Tests = tests
		for i := range t.Rows {
			row := &t.Rows[i]
			switch {
			case row.Untested != "":
			case slices.Equal(row.Base, row.Other):
				row.Untested = AllEqual
				if len(row.Base) >= Fewest(planned) {
					row.Result = Same
				}
			default:
				row.judge(tests)
			}
			if row.Significant {
				row.Better = t.Base.Name
				if row.Change > 0 == (row.Metric.Better == Higher) {
					row.Better = t.Other.Name
				}
			}
		}
	}
	return rows
}

// testable is the number of tests to correct for: the least k for which no more than k rows could reject anything at
// alpha/k. A row that can't, whatever the signs of its differences, costs the others nothing (Tarone 1990).
func testable(rows []*Row) int {
	for k := 1; ; k++ {
		able := 0
		for _, row := range rows {
			if row.test.least <= alpha/float64(k) {
				able++
			}
		}
		if able <= k {
			return min(k, able)
		}
	}
}

// judge tests one row of a family of tests.
func (r *Row) judge(tests int) {
	level := alpha / float64(tests) // infinite where no row is able to reject
	if tests == 0 || r.test.least > level {
		r.Untested = TooFew
		if len(r.Base) >= Fewest(alpha/float64(max(1, tests))) {
			r.Untested = TooAlike
		}
		return
	}
	lo, hi, _ := r.test.interval(level)
	p := min(1, float64(tests)*r.test.p())
	r.P, r.Interval = &p, &Interval{r.asChange(lo), r.asChange(hi)}
	r.Significant = lo > 0 || hi < 0
	switch {
	case max(-r.Interval.Lo, r.Interval.Hi) <= r.Threshold:
		r.Result = Same
	case r.Significant:
		r.Result = Different
	}
}

// threshold is Threshold as a difference of the pairs.
func (r *Row) threshold() float64 {
	if r.Relative {
		return math.Log1p(r.Threshold)
	}
	return r.Threshold
}
