package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"balanceo/results/run"
	"balanceo/results/units"
)

// property is something in which runs must be alike to be compared.
type property struct {
	name  string
	path  string // as in Value; "" where it is made of several
	of    func(*run.Record) string
	fatal bool // an unlike pair says nothing at all; else it is footnoted
}

func properties() []property {
	text := func(v any) string { return fmt.Sprint(v) }
	return []property{
		{"scenario", "scenario", func(r *run.Record) string { return r.Scenario }, true},
		{"rate", "requested_rate", notOfSearches(func(r *run.Record) string { return text(r.RequestedRate) }), true},
		{"pace", "pace", pace, true},
		{"duration", "duration_s", notOfSearches(func(r *run.Record) string { return fmt.Sprintf("%.0f s", r.Duration) }), true},
		{"SLO", "search.slo", slo, true},
		{"machine", "", machine, true},
		{"operating system", "env.os", func(r *run.Record) string { return r.Env.OS }, false},
		{"nginx version", "env.nginx", func(r *run.Record) string { return r.Env.Nginx }, false},
		{"Go version", "env.go", func(r *run.Record) string { return r.Env.Go }, false},
		{"database", "env.database", func(r *run.Record) string { return r.Env.Database }, false},
		{"commit", "env.commit", func(r *run.Record) string { return r.Env.Commit }, false},
	}
}

// pace reads a record without one as paced constantly, which is the default.
func pace(r *run.Record) string {
	if r.Pace == "" {
		return "constant"
	}
	return r.Pace
}

// notOfSearches passes over a property that a search ends with, and was not given.
func notOfSearches(of func(*run.Record) string) func(*run.Record) string {
	return func(r *run.Record) string {
		if r.Search != nil {
			return ""
		}
		return of(r)
	}
}

func slo(r *run.Record) string {
	if r.Search == nil {
		return ""
	}
	return r.Search.SLO
}

func machine(r *run.Record) string {
	return fmt.Sprintf("%s, %d cores", r.Env.CPU, r.Env.Cores)
}

// UnlikeError is a refusal: the runs differ in more than what is compared.
type UnlikeError struct{ Differences []string }

func (e *UnlikeError) Error() string {
	return "the runs are not alike: " + strings.Join(e.Differences, "; ")
}

// unlike tells in which properties, other than the one compared, the runs of both sides differ: in the fatal ones, or
// in those that only deserve a note.
func unlike(runs []*run.Record, by string, fatal bool) []string {
	var differences []string
	for _, p := range properties() {
		if p.fatal != fatal || p.path != "" && p.path == Path(by) || p.path == "" && (Path(by) == "env.cpu" || Path(by) == "env.cores") {
			continue
		}
		counts := map[string]int{}
		var values []string
		for _, r := range runs {
			v := p.of(r)
			if counts[v] == 0 {
				values = append(values, v)
			}
			counts[v]++
		}
		if len(values) < 2 {
			continue
		}
		slices.Sort(values)
		for i, v := range values {
			shown := v
			if shown == "" {
				shown = "unknown"
			}
			values[i] = fmt.Sprintf("%s (%s)", shown, units.Count(int64(counts[v]), "run"))
		}
		differences = append(differences, p.name+" "+strings.Join(values, ", "))
	}
	return differences
}

// mixed notes that a side holds runs of several layouts, which is seldom meant.
func mixed(name string, runs []*run.Record, by string) []string {
	layouts := map[string]bool{}
	for _, r := range runs {
		layouts[r.Layout] = true
	}
	if len(layouts) < 2 || by == "layout" || by == "side" {
		return nil
	}
	return []string{fmt.Sprintf("%s holds runs of the layouts %s", name, strings.Join(slices.Sorted(maps.Keys(layouts)), ", "))}
}
