// Package page draws runs, and what was found comparing them, on one page: self-contained HTML for people, or
// Markdown for a pull request. Both say the same and are pure functions of the records.
package page

import (
	"slices"
	"time"

	"balanceo/results/compare"
	"balanceo/results/plots"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/results/units"
)

// Input is what a page is made of.
type Input struct {
	Sets   []compare.Set    // at least one, with at least one run; the first is the base
	Tables []*compare.Table // the base against each other set; none for a single set
	Now    time.Time        // when the page is made
}

// fact is a name and what it is.
type fact struct{ Name, Value string }

// key is an entry of the legend.
type key struct {
	Name string
	plots.Key
	Runs string
}

// badRun is a run that failed or is worth nothing, and why.
type badRun struct{ Word, ID, Layout, Why string }

// difference is a line of the table: a metric and what it is in each set.
type difference struct {
	Metric   string
	Untested bool // in all sets, because nobody asked
	Cells    []cell
}

// cell is the figure of one set and how it differs from the base's.
type cell struct {
	Value, Change, Outcome string
	Class                  string // "good", "bad" or empty
}

// section is a heading and figures.
type section struct {
	Title   string
	Lead    string
	Legend  []key // where the figures are in the colours of the sets, and there are several
	Figures []plots.Figure
}

// view is the page before it has a form.
type view struct {
	Title       string // what matters
	Badge       string // of a single run
	About       string // which runs
	Bad         []badRun
	Facts       []fact
	Single      bool // it speaks of one run
	Legend      []key
	Differences []difference
	Notes       []string
	Sections    []section
	Verdicts    []fact // of the groups
	Environment []fact
	Warnings    []string
	Commands    []string
	Made        string
}

func newView(in Input) view {
	runs := all(in.Sets)
	in.Sets = usable(in.Sets)
	v := view{
		Title: verdict(in), About: about(in), Facts: facts(in), Single: len(runs) == 1, Differences: differences(in),
		Verdicts: verdicts(in.Sets), Environment: environment(in.Sets), Warnings: warnings(in.Sets), Commands: commands(in.Sets),
		Made: in.Now.UTC().Format("2006-01-02 15:04 UTC"),
	}
	for i, s := range in.Sets {
		v.Legend = append(v.Legend, key{s.Name, plots.SeriesKey(i, ""), countRuns(len(s.Runs))})
	}
	for _, r := range runs {
		word, why := report.Outcome(r)
		switch {
		case v.Single:
			v.Badge = word
		case word == "FAIL" || word == "INVALID":
			v.Bad = append(v.Bad, badRun{word, r.ID, r.Layout, why})
		}
	}
	for _, t := range in.Tables {
		for _, note := range slices.Concat(t.Method(), t.Notes) {
			if !slices.Contains(v.Notes, note) {
				v.Notes = append(v.Notes, note)
			}
		}
	}
	legend := v.Legend
	if len(legend) == 1 {
		legend = nil
	}
	v.Sections = sections(in, legend)
	return v
}

// usable leaves out the runs that say nothing, for they would move what is drawn; of a set that has no others it keeps them,
// with their badges.
func usable(sets []compare.Set) []compare.Set {
	out := slices.Clone(sets)
	for i, s := range sets {
		left := slices.DeleteFunc(slices.Clone(s.Runs), func(r *run.Record) bool { return r.WhyUseless() != "" })
		if len(left) > 0 {
			out[i].Runs = left
		}
	}
	return out
}

// differences sets the figures of all sets side by side, with the change against the base where that was tested.
func differences(in Input) []difference {
	var out []difference
	for _, m := range compare.Metrics() {
		d := difference{Metric: m.Name, Untested: len(in.Tables) > 0}
		found := false
		for i, s := range in.Sets {
			c := cell{Value: "–"}
			var values []float64
			for _, r := range s.Runs {
				if v, ok := m.Of(r); ok && m.Search == (r.Search != nil) {
					values = append(values, v)
				}
			}
			if len(values) > 0 {
				found = true
				c.Value = units.Format(compare.Median(values), m.Unit)
			}
			if i > 0 && i <= len(in.Tables) && c.compare(in.Tables[i-1], m.Key) {
				d.Untested = false
			}
			d.Cells = append(d.Cells, c)
		}
		if found {
			out = append(out, d)
		}
	}
	return out
}

// compare adds what a table says of a metric, and tells whether that was tested or might have been.
func (c *cell) compare(t *compare.Table, key string) bool {
	i := slices.IndexFunc(t.Rows, func(r compare.Row) bool { return r.Key == key })
	if i < 0 {
		return false
	}
	row := &t.Rows[i]
	c.Value, c.Change = units.Format(row.OtherValue, row.Metric.Unit), row.ChangeText()
	if row.Untested == compare.Secondary || row.Untested == compare.ByDesign {
		return false // the brackets say so
	}
	c.Outcome = row.Outcome()
	if row.Significant && row.Result == compare.Different {
		c.Class = "bad"
		if row.Better == t.Other.Name {
			c.Class = "good"
		}
	}
	return true
}

// mostFailures is how many failed runs are drawn second by second.
const mostFailures = 3

func sections(in Input, legend []key) []section {
	sets := in.Sets
	var out []section
	var figures []plots.Figure
	draw := func(f plots.Figure, ok bool) {
		if ok {
			figures = append(figures, f)
		}
	}
	add := func(title, lead string, legend []key) {
		if len(figures) > 0 {
			out = append(out, section{title, lead, legend, figures})
		}
		figures = nil
	}
	for _, t := range in.Tables {
		draw(plots.Intervals(t))
	}
	add("How sure that is", "", nil)
	draw(plots.Percentiles(sets))
	speed := "Latency"
	if f, ok := plots.Capacity(sets); ok {
		figures, speed = append(figures, f), "Latency and capacity"
	}
	draw(plots.LatencyOverTime(sets))
	if slices.ContainsFunc(all(sets), func(r *run.Record) bool {
		return r.Search == nil && (r.RequestedRate == 0 || r.Pace != "" && r.Pace != "constant")
	}) {
		draw(plots.RateOverTime(sets)) // at a constant pace it is a level line
	}
	add(speed, "", legend)
	for _, name := range groupNames(sets) {
		draw(plots.Shares(name, sets))
	}
	add("Who got what share", "What is promised against what the clients saw.", legend)
	drawn := 0
	for _, r := range all(sets) {
		word, _ := report.Outcome(r)
		if len(all(sets)) > 1 && (word != "FAIL" || drawn == mostFailures) {
			continue
		}
		drawn++
		for _, g := range r.Groups {
			draw(plots.SharesBySecond(g.Name, r))
			draw(plots.LatencyBySecond(g.Name, r))
		}
	}
	add("Second by second", "What happened to the servers meanwhile is marked by a line and a number.", nil)
	for i, s := range sets {
		draw(plots.Workers(s, i))
	}
	add("Evenness over workers", "Behind one port there may be several processes; the balancer does not know of them.", legend)
	return out
}

func groupNames(sets []compare.Set) []string {
	var names []string
	for _, s := range sets {
		for _, r := range s.Runs {
			for _, g := range r.Groups {
				if !slices.Contains(names, g.Name) {
					names = append(names, g.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// about names what is compared.
func about(in Input) string {
	if len(in.Sets) == 1 {
		if runs := in.Sets[0].Runs; len(runs) == 1 {
			return "Run " + runs[0].ID
		}
		return in.Sets[0].Name
	}
	names := make([]string, len(in.Sets))
	for i, s := range in.Sets {
		names[i] = s.Name
	}
	return units.List(names)
}

func all(sets []compare.Set) []*run.Record {
	var out []*run.Record
	for _, s := range sets {
		out = append(out, s.Runs...)
	}
	return out
}
