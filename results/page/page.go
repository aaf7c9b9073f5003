// Package page draws runs, and what was found comparing them, on one page: self-contained HTML for people, or
// Markdown for a pull request. Both say the same and are pure functions of the records.
package page

import (
	"fmt"
	"slices"
	"strconv"
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
	if t.Tests() > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf(
			"Medians of %d and %d runs in %d pairs. The p values are Mann-Whitney's, corrected by Holm's method for %d tests; "+
				"~ stands where p is not below %g.", len(t.Base.Runs), len(t.Other.Runs), t.Pairs, t.Tests(), t.Alpha))
	}
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
		c.Rows = append(c.Rows, compareRow{
			row.Metric.Name, units.Format(row.BaseMedian, row.Metric.Unit), units.Format(row.OtherMedian, row.Metric.Unit),
			row.Change(), row.Range(), row.PText(), row.N(), row.Remark(), class,
		})
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

// values lists what the runs say, each once, in the order of the runs.
func values(runs []*run.Record, of func(*run.Record) string) string {
	var out []string
	for _, r := range runs {
		if v := of(r); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return strings.Join(out, ", ")
}

func facts(in Input) []fact {
	runs := all(in.Sets)
	rated := slices.DeleteFunc(slices.Clone(runs), func(r *run.Record) bool { return r.Search != nil })
	if len(rated) == 0 {
		rated = runs
	}
	first, last := runs[0].Started, runs[0].Started
	for _, r := range runs {
		if r.Started.Before(first) {
			first = r.Started
		}
		if r.Started.After(last) {
			last = r.Started
		}
	}
	when := first.Local().Format("2 January 2006, 15:04")
	if !first.Equal(last) {
		when += " to " + last.Local().Format("15:04")
		if first.Local().Format(time.DateOnly) != last.Local().Format(time.DateOnly) {
			when = first.Local().Format("2 January 2006 15:04") + " to " + last.Local().Format("2 January 2006 15:04")
		}
	}
	return []fact{
		{"When", when},
		{"Runs", countRuns(len(runs))},
		{"Rate", values(rated, func(r *run.Record) string {
			if r.RequestedRate == 0 {
				return "as fast as it goes"
			}
			return units.Format(r.RequestedRate, units.PerSecond)
		})},
		{"Length", values(rated, func(r *run.Record) string { return units.Format(r.Duration, units.Seconds) })},
		{"Scenario", values(runs, func(r *run.Record) string { return r.Scenario })},
		{"Machine", values(runs, func(r *run.Record) string { return fmt.Sprintf("%s, %d cores", r.Env.CPU, r.Env.Cores) })},
	}
}

func environment(sets []compare.Set) []fact {
	runs := all(sets)
	var out []fact
	for _, f := range []struct {
		name string
		of   func(*run.Record) string
	}{
		{"Operating system", func(r *run.Record) string { return r.Env.OS }},
		{"Processor", func(r *run.Record) string { return r.Env.CPU }},
		{"Cores", func(r *run.Record) string { return strconv.Itoa(r.Env.Cores) }},
		{"Go", func(r *run.Record) string { return r.Env.Go }},
		{"nginx", func(r *run.Record) string { return r.Env.Nginx }},
		{"Database", func(r *run.Record) string { return r.Env.Database }},
		{"Commit", func(r *run.Record) string { return r.Env.Commit }},
		{"Layout", func(r *run.Record) string { return r.Layout }},
		{"Label", func(r *run.Record) string { return r.Label }},
		{"Pace", func(r *run.Record) string { return r.Pace }},
		{"Sent", func(r *run.Record) string {
			if r.Search != nil || r.Valid() {
				return ""
			}
			return fmt.Sprintf("run %s: only %s of the rate", r.ID, units.Percent(r.Generator.SendRatio))
		}},
	} {
		if v := values(runs, f.of); v != "" {
			out = append(out, fact{f.name, v})
		}
	}
	return out
}

// verdicts tells of each group in how many runs its shares were as promised.
func verdicts(sets []compare.Set) []fact {
	var out []fact
	for _, name := range groupNames(sets) {
		passed, judged := 0, 0
		reason, method := "", ""
		for _, r := range all(sets) {
			for _, g := range r.Groups {
				if g.Name != name {
					continue
				}
				method = g.Method
				switch g.Verdict {
				case run.Pass:
					passed++
					judged++
				case run.Fail:
					judged++
					if len(g.Reasons) > 0 && reason == "" {
						reason = "; " + r.ID + ": " + g.Reasons[0]
					}
				}
			}
		}
		text := "makes no promise that could be checked"
		if judged > 0 {
			text = fmt.Sprintf("as promised in %d of %s%s", passed, countRuns(judged), reason)
		}
		out = append(out, fact{name + " (" + strings.ReplaceAll(method, "_", " ") + ")", text})
	}
	return out
}

// warnings collects those of the runs, each once.
func warnings(sets []compare.Set) []string {
	var out []string
	counts := map[string]int{}
	for _, r := range all(sets) {
		for _, w := range r.Warnings {
			if counts[w] == 0 {
				out = append(out, w)
			}
			counts[w]++
		}
	}
	const most = 12
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("… and %d more", len(out)-most))
	}
	for i, w := range out {
		if counts[w] > 1 {
			out[i] = fmt.Sprintf("%s (%s)", w, countRuns(counts[w]))
		}
	}
	return out
}

// commands are what repeats the runs, one a set and kind.
func commands(sets []compare.Set) []string {
	var out []string
	for _, s := range sets {
		seen := map[bool]bool{}
		for _, r := range s.Runs {
			if search := r.Search != nil; len(r.Command) > 0 && !seen[search] {
				seen[search] = true
				line := quote(r.Command)
				if r.Layout != "" {
					line = quote(withoutTarget(r.Command))
					line = "topology run --free-ports --layout " + quote([]string{r.Layout}) + " -- " + line
				}
				if !slices.Contains(out, line) {
					out = append(out, line)
				}
			}
		}
	}
	return out
}

// withoutTarget drops -target: topology tells loadgen where the layout is, and that may be elsewhere next time.
func withoutTarget(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case !strings.HasPrefix(args[i], "-") || name != "target" && name != "t":
			out = append(out, args[i])
		case !joined:
			i++ // its value
		}
	}
	return out
}

// quote writes arguments so that a shell reads them as they were.
func quote(args []string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+"
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			out[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func countRuns(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}
