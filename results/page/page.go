// Package page draws runs, and what was found comparing them, on one page: self-contained HTML for people, or
// Markdown for a pull request. Both say the same and are pure functions of the records.
package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"balanceo/results/compare"
	"balanceo/results/plots"
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
	Name  string
	Color string // the style sheet's name of it
	Dash  string
	Runs  string
}

// glance is the first table: a metric a line, a set a column.
type glance struct {
	Name  string
	Cells []string
}

// comparison is a table of package compare, as text.
type comparison struct {
	Title, Base, Other string
	Rows               []compareRow
	Notes              []string
	Figure             *plots.Figure
}

type compareRow struct {
	Metric, Base, Other, Change, Range, P, N, Remark string
	Class                                            string // "good", "bad" or empty
}

// section is a heading and figures.
type section struct {
	Title   string
	Lead    string
	Figures []plots.Figure
}

// view is the page before it has a form.
type view struct {
	Title       string
	Verdict     string
	Facts       []fact
	Legend      []key
	GlanceSets  []string
	Glance      []glance
	Comparisons []comparison
	Sections    []section
	Verdicts    []fact // of the groups
	Environment []fact
	Warnings    []string
	Commands    []string
	Made        string
}

func newView(in Input) view {
	v := view{
		Title: title(in), Verdict: verdict(in), Facts: facts(in), Glance: glances(in), Verdicts: verdicts(in.Sets),
		Environment: environment(in.Sets), Warnings: warnings(in.Sets), Commands: commands(in.Sets),
		Made: in.Now.UTC().Format("2006-01-02 15:04 UTC"),
	}
	for i, s := range in.Sets {
		v.GlanceSets = append(v.GlanceSets, s.Name)
		v.Legend = append(v.Legend, key{s.Name, fmt.Sprintf("series%d", i%plots.Series), plots.Dash(i), countRuns(len(s.Runs))})
	}
	for _, t := range in.Tables {
		v.Comparisons = append(v.Comparisons, newComparison(t))
	}
	v.Sections = sections(in.Sets)
	return v
}

func newComparison(t *compare.Table) comparison {
	c := comparison{
		Title: t.Other.Name + " against " + t.Base.Name, Base: t.Base.Name, Other: t.Other.Name,
	}
	c.Notes = append(c.Notes, t.Method()...)
	c.Notes = append(c.Notes, t.Notes...)
	for i := range t.Rows {
		row := &t.Rows[i]
		class := ""
		if row.Significant {
			class = "bad"
			if row.Better == t.Other.Name {
				class = "good"
			}
		}
		cells := row.Cells()
		c.Rows = append(c.Rows, compareRow{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7], class})
	}
	if f, ok := plots.Intervals(t); ok {
		c.Figure = &f
	}
	return c
}

func sections(sets []compare.Set) []section {
	var out []section
	add := func(title, lead string, figures ...plots.Figure) {
		if len(figures) > 0 {
			out = append(out, section{title, lead, figures})
		}
	}
	keep := func(figures []plots.Figure, f plots.Figure, ok bool) []plots.Figure {
		if ok {
			return append(figures, f)
		}
		return figures
	}
	var latency, distribution, workers []plots.Figure
	f, ok := plots.Percentiles(sets)
	latency = keep(latency, f, ok)
	f, ok = plots.Capacity(sets)
	latency = keep(latency, f, ok)
	f, ok = plots.LatencyOverTime(sets)
	latency = keep(latency, f, ok)
	f, ok = plots.RateOverTime(sets)
	latency = keep(latency, f, ok)
	for _, name := range groupNames(sets) {
		f, ok = plots.Shares(name, sets)
		distribution = keep(distribution, f, ok)
	}
	for i, s := range sets {
		f, ok = plots.Workers(s, i)
		workers = keep(workers, f, ok)
	}
	add("Latency and capacity", "", latency...)
	add("Who got what share", "What nginx.conf promises against what the clients saw.", distribution...)
	add("Evenness over workers", "Behind one port there may be several processes; nginx does not know of them.", workers...)
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

func title(in Input) string {
	if len(in.Sets) == 1 {
		if len(in.Sets[0].Runs) == 1 {
			return "Run " + in.Sets[0].Runs[0].ID
		}
		return in.Sets[0].Name
	}
	names := make([]string, len(in.Sets))
	for i, s := range in.Sets {
		names[i] = s.Name
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func glances(in Input) []glance {
	var out []glance
	for _, m := range compare.Metrics() {
		g := glance{Name: m.Name}
		found := false
		for _, s := range in.Sets {
			cell := "–"
			var values []float64
			for _, r := range s.Runs {
				if v, ok := m.Of(r); ok && !r.Partial && m.Search == (r.Search != nil) {
					values = append(values, v)
				}
			}
			if len(values) > 0 {
				found = true
				cell = units.Format(compare.Median(values), m.Unit)
			}
			g.Cells = append(g.Cells, cell)
		}
		if found {
			out = append(out, g)
		}
	}
	return out
}

func all(sets []compare.Set) []*run.Record {
	var out []*run.Record
	for _, s := range sets {
		out = append(out, s.Runs...)
	}
	return out
}
