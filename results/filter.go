package main

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/cli"
)

// filter chooses runs. A repeated flag accepts any of its values.
type filter struct {
	Layout   []string  `long:"layout" value-name:"NAME" description:"only runs of this layout (* and ? match any text)"`
	Scenario []string  `long:"scenario" value-name:"NAME" description:"only runs of this scenario"`
	Rate     []float64 `long:"rate" value-name:"N" description:"only runs at this requested rate"`
	Label    []string  `long:"label" value-name:"TEXT" description:"only runs with this label (* and ? match any text)"`
	Since    string    `long:"since" value-name:"WHEN" description:"only runs started since a date (2026-11-23), a time, or so long ago (90m, 24h, 7d)"`
}

// apply returns the runs that pass.
func (f *filter) apply(runs []*run.Record, now time.Time) ([]*run.Record, error) {
	since, err := parseSince(f.Since, now)
	if err != nil {
		return nil, err
	}
	for _, pattern := range slices.Concat(f.Layout, f.Scenario, f.Label) {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, cli.Usagef("pattern %q: %w; accepted are texts with *, ? and [a-z]", pattern, err)
		}
	}
	var out []*run.Record
	for _, r := range runs {
		if matches(f.Layout, r.Layout) && matches(f.Scenario, r.Scenario) && matches(f.Label, r.Label) &&
			(len(f.Rate) == 0 || slices.Contains(f.Rate, r.RequestedRate)) && !r.Started.Before(since) {
			out = append(out, r)
		}
	}
	return out, nil
}

// choose returns the runs that pass the filter and that refs name, all that pass where there are none. It is an error to
// choose nothing.
func (f *filter) choose(c *command, refs []string) ([]*run.Record, error) {
	all, _, err := c.load()
	if err != nil {
		return nil, err
	}
	runs, err := f.apply(all, time.Now())
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 && len(all) > 0 {
		return nil, f.none(c, all)
	}
	if len(refs) == 0 && len(runs) > 0 {
		return runs, nil
	}
	if len(refs) == 0 {
		refs = []string{run.Latest} // says that there is none
	}
	return c.pick(runs, refs)
}

func matches(patterns []string, text string) bool {
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, text) // checked before
		return ok || pattern == text
	})
}

// parseSince reads a date, a time, or a length of time before now. Empty is the beginning of time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if m := regexp.MustCompile(`^([0-9]+)d$`).FindStringSubmatch(text); m != nil {
		if days, err := strconv.Atoi(m[1]); err == nil {
			return now.AddDate(0, 0, -days), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, cli.Usagef("--since %q: accepted are a date (2026-11-23), a time (2026-11-23 15:04) or a length of time (90m, 24h, 7d)", text)
}

// given tells whether any of the flags is set.
func (f *filter) given() bool {
	return len(f.Layout)+len(f.Scenario)+len(f.Rate)+len(f.Label) > 0 || f.Since != ""
}

// none is the error where no run passes, with what there is.
func (f *filter) none(c *command, all []*run.Record) error {
	var given, hints []string
	for _, key := range []struct {
		name     string
		patterns []string
		of       func(*run.Record) string
	}{
		{"layout", f.Layout, func(r *run.Record) string { return r.Layout }},
		{"scenario", f.Scenario, func(r *run.Record) string { return r.Scenario }},
		{"label", f.Label, func(r *run.Record) string { return r.Label }},
	} {
		for _, pattern := range key.patterns {
			given = append(given, key.name+" "+strconv.Quote(pattern))
			if !slices.ContainsFunc(all, func(r *run.Record) bool { return matches([]string{pattern}, key.of(r)) }) {
				hints = append(hints, whatThereIs(all, key.name, pattern))
			}
		}
	}
	for _, rate := range f.Rate {
		given = append(given, "rate "+strconv.FormatFloat(rate, 'g', -1, 64))
	}
	if f.Since != "" {
		given = append(given, "since "+f.Since)
	}
	err := fmt.Errorf("%q: none of %s is of %s", c.Dir, units.Count(int64(len(all)), "run"), strings.Join(given, ", "))
	return cli.Hint(err, "%s", cmp.Or(strings.Join(hints, "; "), "\"results list\" lists them"))
}
