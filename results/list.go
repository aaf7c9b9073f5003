package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"balanceo/results/console"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/results/units"
)

type listCommand struct {
	Filter filter `group:"Filter"`
	JSON   bool   `long:"json" description:"print one JSON document"`

	c *command
}

// entry is a run in "list --json". Its keys are those of the record.
type entry struct {
	ID            string      `json:"id"`
	Started       time.Time   `json:"started"`
	Layout        string      `json:"layout"`
	Label         string      `json:"label"`
	Scenario      string      `json:"scenario"`
	RequestedRate float64     `json:"requested_rate"`
	ActualRate    float64     `json:"actual_rate"`
	Duration      float64     `json:"duration_s"`
	Requests      int64       `json:"requests"`
	SuccessRatio  float64     `json:"success_ratio"`
	Latency       run.Latency `json:"latency_s"`
	MaxRate       *float64    `json:"max_rate,omitempty"` // of a search
	Verdict       string      `json:"verdict"`            // pass, fail, invalid or info, and why
	Why           string      `json:"why"`
	Valid         bool        `json:"valid"` // it can be used in a comparison
	Partial       bool        `json:"partial"`
}

type damagedEntry struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

func newEntry(r *run.Record) entry {
	e := entry{
		r.ID, r.Started, r.Layout, r.Label, r.Scenario, r.RequestedRate, r.ActualRate, r.Duration, r.Requests,
		r.SuccessRatio, r.Latency, nil, "", "", r.WhyUseless() == "", r.Partial,
	}
	word, why := report.Outcome(r)
	e.Verdict, e.Why = strings.ToLower(word), why
	e.Latency.HDR = ""
	if r.Search != nil {
		e.MaxRate = &r.Search.MaxRate
	}
	return e
}

// Execute is called by go-flags.
func (l *listCommand) Execute([]string) error {
	runs, damaged, err := l.c.load()
	if err != nil {
		return err
	}
	all := len(runs)
	if runs, err = l.Filter.apply(runs, time.Now()); err != nil {
		return err
	}
	if l.JSON {
		out := struct {
			Runs    []entry        `json:"runs"`
			Damaged []damagedEntry `json:"damaged"`
		}{[]entry{}, []damagedEntry{}}
		for _, r := range runs {
			out.Runs = append(out.Runs, newEntry(r))
		}
		for _, d := range damaged {
			out.Damaged = append(out.Damaged, damagedEntry{d.File, d.Err.Error()})
		}
		return run.WriteJSON(l.c.stdout, out)
	}
	switch {
	case all == 0:
		fmt.Fprintf(l.c.stderr, "no runs in %q yet: make one with \"make bench\"\n", l.c.Dir)
		return nil
	case len(runs) == 0:
		fmt.Fprintf(l.c.stderr, "none of %d runs in %q passes the filter\n", all, l.c.Dir)
		return nil
	}
	t := &console.Table{Gap: 2, Columns: []console.Column{
		console.Left("ID", 0), console.Left("STARTED", 9), console.Left("LAYOUT", 4), console.Left("SCENARIO", 7), console.Right("RATE", 3),
		console.Right("P50", 8), console.Right("P99", 1), console.Right("ERRORS", 2), console.Left("VERDICT", 0), console.Left("LABEL", 6),
	}}
	for _, r := range runs {
		e := newEntry(r)
		rate := units.Format(r.ActualRate, units.PerSecond)
		if r.Search != nil {
			rate = "max " + units.Format(r.Search.MaxRate, units.PerSecond)
		}
		t.Add(r.ID, r.Started.Local().Format("2006-01-02 15:04:05"), console.Clean(cmp.Or(r.Side, r.Layout)), console.Clean(r.Scenario), rate,
			report.Percentile(r.Latency.P50, 0.5, r.Responses), report.Percentile(r.Latency.P99, 0.99, r.Responses),
			units.Percent(max(0, 1-r.SuccessRatio)), e.Verdict+mark(r, e.Verdict), console.Clean(r.Label))
	}
	return t.Write(l.c.stdout)
}

// mark tells that a run can't be used whatever its verdict.
func mark(r *run.Record, verdict string) string {
	switch {
	case r.Partial:
		return ", partial"
	case r.Search == nil && !r.Valid() && verdict != "invalid":
		return ", invalid"
	}
	return ""
}
