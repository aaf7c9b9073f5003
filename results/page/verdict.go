package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"balanceo/results/compare"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/results/units"
)

// verdict is what was found, in one sentence.
func verdict(in Input) string {
	sentence := runVerdict(in.Sets)
	if len(in.Tables) > 0 {
		sentence = compareVerdict(in)
	}
	return strings.NewReplacer(" %", "\u00a0%", " µs", "\u00a0µs", " ms", "\u00a0ms").Replace(sentence)
}

func compareVerdict(in Input) string {
	var same, unknown, parts []string
	for _, t := range in.Tables {
		switch found := findings(t); {
		case found != "":
			parts = append(parts, t.Other.Name+" has "+found)
		case slices.ContainsFunc(t.Rows, func(r compare.Row) bool { return r.P != nil && r.Result != compare.Same }) || t.Tests == 0:
			unknown = append(unknown, t.Other.Name)
		default:
			same = append(same, t.Other.Name)
		}
	}
	base := in.Tables[0].Base.Name
	at := ""
	rates := values(all(in.Sets), func(r *run.Record) string {
		if r.Search != nil || r.RequestedRate == 0 {
			return ""
		}
		return units.Format(r.RequestedRate, units.PerSecond)
	})
	if rates != "" && !strings.Contains(rates, ", ") {
		at = "at " + strings.TrimSuffix(rates, " /s") + " requests a second, "
		if strings.HasSuffix(rates, "k/s") {
			at = "at " + rates + ", "
		}
	}
	against := len(parts) > 0
	if len(same) > 0 {
		parts = append(parts, fmt.Sprintf("%s and %s are the same within what matters", units.List(same), base))
	}
	if len(unknown) > 0 {
		parts = append(parts, fmt.Sprintf("these runs can't tell %s from %s", units.List(unknown), base))
	}
	sentence := at + strings.Join(parts, "; ") + "."
	if against {
		sentence = "Against " + base + ", " + sentence
	}
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}

// findings tells the differences that matter, the largest promise first; empty if there are none.
func findings(t *compare.Table) string {
	var found []string
	// What is left out here follows from the layout (evenness) or from the rate (throughput).
	for _, key := range []string{"p50", "p99", "errors", "draws", "cpu", "memory", "capacity"} {
		i := slices.IndexFunc(t.Rows, func(r compare.Row) bool { return r.Key == key })
		if i < 0 || t.Rows[i].Result != compare.Different {
			continue
		}
		row := &t.Rows[i]
		way := "higher"
		if row.Change < 0 {
			way = "lower"
		}
		amount := ""
		if row.Relative {
			amount = units.Percent(max(row.Change, -row.Change)) + " "
		}
		names := map[string]string{"p50": "median latency", "p99": "p99 latency", "cpu": "CPU a request", "draws": "draws a second"}
		found = append(found, amount+way+" "+cmp.Or(names[key], row.Metric.Name))
	}
	return units.List(found)
}

// asPromised names the balancer whose promise it is, where it is known and one.
func asPromised(runs []*run.Record) string {
	name := values(runs, func(r *run.Record) string {
		name, _, _ := strings.Cut(r.Env.Balancer, " ")
		return name
	})
	if name == "" || strings.Contains(name, ", ") {
		return "as promised"
	}
	return "as " + name + " promises"
}

// runVerdict speaks of the runs of one set.
func runVerdict(sets []compare.Set) string {
	runs := all(sets)
	var requests int64
	var failed []string
	errs, judged := 0.0, false
	for _, r := range runs {
		requests += r.Requests
		errs += (1 - r.SuccessRatio) * float64(r.Requests)
		for _, g := range r.Groups {
			judged = judged || g.Verdict != run.Info
			if g.Verdict == run.Fail && !slices.Contains(failed, g.Name) {
				failed = append(failed, g.Name)
			}
		}
	}
	if len(runs) == 1 {
		if word, why := report.Outcome(runs[0]); word == "FAIL" || word == "INVALID" {
			return why
		}
	}
	parts := []string{"All " + units.Count(requests, "request") + " were answered"}
	if errs >= 0.5 {
		parts[0] = units.Percent(errs/float64(requests)) + " of " + units.Count(requests, "request") + " failed"
	}
	if h, err := run.MergedHistogram(runs); err == nil {
		parts = append(parts, fmt.Sprintf("half of them within %s and 99 %% within %s",
			units.Format(float64(h.ValueAtQuantile(50))/1e6, units.Seconds), units.Format(float64(h.ValueAtQuantile(99))/1e6, units.Seconds)))
	}
	switch {
	case len(failed) > 0:
		parts = append(parts, "and load was not shared "+asPromised(runs)+" in "+units.List(failed))
	case judged:
		parts = append(parts, "and load was shared "+asPromised(runs))
	}
	return strings.Join(parts, ", ") + "."
}
