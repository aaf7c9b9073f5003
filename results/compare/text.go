package compare

import (
	"fmt"
	"strconv"

	"balanceo/results/units"
)

// The cells of a row as text, the same in the terminal, in HTML and in Markdown.

// Change is the relative difference, or "~" where it is not significant.
func (r *Row) Change() string {
	switch {
	case !r.Significant:
		return "~"
	case r.Relative == nil: // from 0
		return signed(r.Difference, r.Metric.Unit)
	}
	return units.Signed(*r.Relative)
}

// Range is the interval of the difference, relative where it can be.
func (r *Row) Range() string {
	switch {
	case r.RelativeInterval != nil:
		return units.Signed(r.RelativeInterval.Lo) + " … " + units.Signed(r.RelativeInterval.Hi)
	case r.Interval != nil:
		return signed(r.Interval.Lo, r.Metric.Unit) + " … " + signed(r.Interval.Hi, r.Metric.Unit)
	}
	return "–"
}

func signed(v float64, u units.Unit) string {
	if v > 0 {
		return "+" + units.Format(v, u)
	}
	return units.Format(v, u)
}

// PText is the corrected p.
func (r *Row) PText() string {
	if r.PHolm == nil {
		return "–"
	}
	if *r.PHolm < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", *r.PHolm)
}

// N is how many runs of each side gave the figure.
func (r *Row) N() string {
	if len(r.Base) == len(r.Other) {
		return strconv.Itoa(len(r.Base))
	}
	return fmt.Sprintf("%d+%d", len(r.Base), len(r.Other))
}

// mostNeeded is the number of runs beyond which naming it helps nobody.
const mostNeeded = 999

// Remark says which side is better or what would be needed to tell.
func (r *Row) Remark() string {
	switch {
	case r.Significant:
		return "better: " + r.Better
	case r.Untested != "":
		return r.Untested
	case r.Needed == nil:
		return ""
	case *r.Needed > mostNeeded:
		return fmt.Sprintf("more than %d runs a side to tell", mostNeeded)
	case *r.Needed <= min(len(r.Base), len(r.Other)):
		return "" // seen by chance at this size, or lost to Holm's correction
	}
	return fmt.Sprintf("%d runs a side to tell", *r.Needed)
}

// Tests is how many rows were tested, the number that Holm corrects for.
func (t *Table) Tests() int {
	n := 0
	for _, row := range t.Rows {
		if row.P != nil {
			n++
		}
	}
	return n
}
