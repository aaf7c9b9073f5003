package report

import (
	"fmt"
	"slices"
	"strings"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/units"
)

// judgement is what a run comes to.
type judgement int

const (
	nothing judgement = iota // there was nothing to check
	passed
	failed
	invalid // the generator did not keep up
)

func (j judgement) word() (string, console.Style) {
	switch j {
	case passed:
		return "PASS", console.Green
	case failed:
		return "FAIL", console.Red
	case invalid:
		return "INVALID", console.Yellow
	}
	return "INFO", console.Dim
}

// overall is the judgement of the whole run. A broken promise is one however fast the generator was.
func overall(r *run.Record) judgement {
	out := nothing
	for _, g := range r.Groups {
		switch g.Verdict {
		case run.Fail:
			return failed
		case run.Pass:
			out = passed
		}
	}
	for _, a := range r.Asserts {
		if !a.Passed {
			return failed
		}
		out = passed
	}
	if _, some := r.Failed(); some || len(broken(r)) > 0 {
		return failed
	}
	// What held in a search with the generator's lag would have held without it.
	if r.Search == nil && !r.Valid() || r.Reconciliation.Unexplained > 0 {
		return invalid
	}
	return out
}

// Outcome is what a run comes to, PASS, FAIL, INVALID or INFO, and why.
func Outcome(r *run.Record) (word, why string) {
	j := overall(r)
	word, _ = j.word()
	return word, because(r, j)
}

// because says in a sentence or two why the run is judged so.
func because(r *run.Record, j judgement) string {
	switch j {
	case failed:
		return whyFailed(r)
	case invalid:
		if m := r.Lagged(); m != nil {
			return fmt.Sprintf("The generator itself was late: without its own lag %s would be %s and not %s, so the latencies speak of it "+
				"and not of the servers.", m.Name, seconds(m.Without), seconds(m.With))
		}
		if r.Valid() {
			return "The counts of client, nginx and servers do not agree: " + units.Count(r.Reconciliation.Unexplained, "request") + " unexplained."
		}
		return fmt.Sprintf("The generator fell behind: it sent %s of what was due, so the figures speak of it and not of the servers. "+
			"Repeat the run at a lower rate.", units.Percent(r.Generator.SendRatio))
	case nothing:
		return whyNothing(r)
	}
	var parts []string
	if slices.ContainsFunc(r.Groups, func(g run.Group) bool { return g.Verdict == run.Pass }) {
		parts = append(parts, "The load is shared as promised.")
	}
	if len(r.Asserts) > 0 {
		parts = append(parts, "Every assertion holds.")
	}
	return strings.Join(parts, " ")
}

func whyFailed(r *run.Record) string {
	var parts []string
	if n, some := r.Failed(); some {
		parts = append(parts, units.Percent(float64(n)/float64(r.Requests))+" of "+units.Count(r.Requests, "request")+" failed.")
	}
	for _, g := range r.Groups {
		if g.Verdict != run.Fail {
			continue
		}
		reason := "the load is not shared as promised, " + margin(&g) + "."
		if len(g.Reasons) > 0 {
			reason = strings.Join(g.Reasons, " ")
		}
		parts = append(parts, g.Name+": "+reason)
	}
	parts = append(parts, broken(r)...)
	for _, a := range r.Asserts {
		switch {
		case a.Unknown:
			parts = append(parts, "The assertion "+a.Expr+" could not be checked.")
		case !a.Passed:
			parts = append(parts, fmt.Sprintf("The assertion %s does not hold: it was %s.", a.Expr, measuredAs(a)))
		}
	}
	return strings.Join(parts, " ")
}

// broken are the promises of a search and of the scenarios session and ws that were not kept.
func broken(r *run.Record) []string {
	var out []string
	if s := r.Search; s != nil && !s.Confirmed {
		out = append(out, "No rate that holds "+s.SLO+" was confirmed.")
	}
	if s := r.Session; s != nil && s.Breaks > 0 {
		out = append(out, units.Count(s.Breaks, "signed-in request")+" landed on the login page.")
	}
	if s := r.WS; s != nil && s.Lost+s.Doubled > 0 {
		out = append(out, fmt.Sprintf("Deliveries that failed: %d lost, %d doubled, of %d.", s.Lost, s.Doubled, s.Sent*int64(s.Clients)))
	}
	return out
}

func whyNothing(r *run.Record) string {
	if r.Requests == 0 {
		return "No request was sent in the measured part."
	}
	if len(r.Groups) == 0 {
		return "No answer said which upstream it came from, so there is no share to check."
	}
	return "There was no promise that could be checked."
}

// pValue is a probability with as many digits as tell it.
func pValue(p float64) string {
	if p < 0.001 {
		return fmt.Sprintf("%.0e", p)
	}
	return fmt.Sprintf("%.3f", p)
}

// margin says how many requests the worst upstream of g was from its share, and how many it might be.
func margin(g *run.Group) string {
	if g.PValue != nil {
		return fmt.Sprintf("p = %s (G = %.1f, critical %.1f)", pValue(*g.PValue), g.WorstDeviation, g.Bound)
	}
	text := "at most " + units.Number(g.WorstDeviation) + " off"
	if g.Bound > 0 {
		text += fmt.Sprintf(" (bound %s)", units.Number(g.Bound))
	}
	return text
}
