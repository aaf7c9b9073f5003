package compare

import (
	"fmt"
	"strconv"

	"balanceo/results/units"
)

// The cells of a row as text, the same in the terminal, in HTML and in Markdown.

// Cells are the row as text: metric, base, other, change, interval, p, pairs, result.
func (r *Row) Cells() []string {
	return []string{
		r.Metric.Name, units.Format(r.BaseValue, r.Metric.Unit), units.Format(r.OtherValue, r.Metric.Unit),
		r.ChangeText(), r.Range(), r.PText(), strconv.Itoa(len(r.Base)), r.Outcome(),
	}
}

// ChangeText is the change; "~" where it is not significant, and in brackets where it was not tested.
func (r *Row) ChangeText() string {
	switch {
	case r.Untested == AllEqual:
		return "0"
	case r.Untested != "":
		return "(" + r.amount(r.Change) + ")"
	case !r.Significant:
		return "~"
	}
	return r.amount(r.Change)
}

// amount writes a change with its sign.
func (r *Row) amount(change float64) string {
	switch {
	case r.Relative:
		return units.Signed(change)
	case r.Metric.Unit == units.Ratio:
		return fmt.Sprintf("%+.2f points", 100*change) // of a percentage
	case change > 0:
		return "+" + units.Format(change, r.Metric.Unit)
	}
	return units.Format(change, r.Metric.Unit)
}

// Range is the interval of the change.
func (r *Row) Range() string {
	if r.Interval == nil {
		return "–"
	}
	return r.amount(r.Interval.Lo) + " … " + r.amount(r.Interval.Hi)
}

// PText is the corrected p.
func (r *Row) PText() string {
	switch {
	case r.P == nil:
		return "–"
	case *r.P < 0.001:
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", *r.P)
}

// Outcome says what the row means: which side is better, that there is no difference that matters, or what would be
// needed to tell.
func (r *Row) Outcome() string {
	threshold := fmt.Sprintf("%g %%", 100*r.Threshold)
	if !r.Relative && r.Metric.Unit == units.Ratio {
		threshold = fmt.Sprintf("%g points", 100*r.Threshold)
	}
	needed := ""
	switch {
	case r.Needed == nil:
	case *r.Needed > MostNeeded:
		needed = fmt.Sprintf("; more than %d pairs to tell", MostNeeded)
	case *r.Needed > len(r.Base):
		needed = fmt.Sprintf("; %d pairs to tell", *r.Needed)
	}
	switch {
	case r.Result == Same && r.Significant:
		return fmt.Sprintf("same within %s; slightly better: %s", threshold, r.Better)
	case r.Result == Different:
		return "different, better: " + r.Better
	case r.Untested == TooFew:
		return r.Untested + needed
	case r.Untested != "":
		return r.Untested
	case r.Result == Same:
		return "same within " + threshold
	}
	return string(r.Result) + needed
}

// Method says how the rows were tested and what the marks mean, for the notes below the table.
func (t *Table) Method() []string {
	if t.Tests == 0 {
		return []string{"in brackets: not tested"}
	}
	return []string{
		fmt.Sprintf("exact signed-rank test of the pairs; all intervals and p together hold in %g %% of comparisons (Bonferroni, %s in all)",
			100*(1-t.Alpha), units.Count(int64(t.Tests), "test")),
		"~ where the interval holds 0, in brackets what was not tested",
	}
}
