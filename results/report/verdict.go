package report

import (
	"fmt"
	"strings"

	"balanceo/results/run"
)

// judgement is what a run comes to.
type judgement int

const (
	nothing judgement = iota // there was nothing to check
	passed
	failed
	invalid // the generator did not keep up
)

func (j judgement) word() (string, style) {
	switch j {
	case passed:
		return "PASS", green
	case failed:
		return "FAIL", red
	case invalid:
		return "INVALID", yellow
	}
	return "INFO", dim
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
	if len(broken(r)) > 0 {
		return failed
	}
	if !r.Valid() {
		return invalid
	}
	return out
}

// verdict writes the last line: what the run comes to, and why.
func (p *page) verdict(r *run.Record) {
	j := overall(r)
	word, colour := j.word()
	p.line("")
	p.wrapped(word+"  ", colour, because(r, j))
}

func because(r *run.Record, j judgement) string {
	switch j {
	case failed:
		return whyFailed(r)
	case invalid:
		return fmt.Sprintf("The generator sent less than %s %% of the rate; repeat the run with less of it.", percent(run.ValidSendRatio))
	case nothing:
		return whyNothing(r)
	}
	var parts []string
	for _, g := range r.Groups {
		if g.Verdict == run.Pass {
			parts = append(parts, g.Name+" "+margin(&g))
		}
	}
	text := "Every assertion holds."
	if len(parts) > 0 {
		text = "The load is shared as nginx.conf says: " + strings.Join(parts, ", ") + "."
		if len(r.Asserts) > 0 {
			text += " Every assertion holds."
		}
	}
	return text
}

func whyFailed(r *run.Record) string {
	var parts []string
	for _, g := range r.Groups {
		if g.Verdict != run.Fail {
			continue
		}
		reason := "the load is not shared as nginx.conf says, " + margin(&g) + "."
		if len(g.Reasons) > 0 {
			reason = strings.Join(g.Reasons, " ")
		}
		parts = append(parts, g.Name+": "+reason)
	}
	parts = append(parts, broken(r)...)
	for _, a := range r.Asserts {
		if !a.Passed {
			parts = append(parts, fmt.Sprintf("The assertion %s does not hold: it was %s.", a.Expr, measured(a)))
		}
	}
	return strings.Join(parts, " ")
}

// broken are the promises of the scenarios session and ws that were not kept.
func broken(r *run.Record) []string {
	var out []string
	if s := r.Session; s != nil && s.Breaks > 0 {
		out = append(out, fmt.Sprintf("%s signed-in %s treated as not signed in.", integer(s.Breaks), plural(float64(s.Breaks), "request was", "requests were")))
	}
	if s := r.WS; s != nil && s.Lost+s.Doubled > 0 {
		out = append(out, fmt.Sprintf("Deliveries that failed: %s lost, %s doubled, of %s.",
			integer(s.Lost), integer(s.Doubled), integer(s.Sent*int64(s.Clients))))
	}
	return out
}

func whyNothing(r *run.Record) string {
	if len(r.Groups) == 0 {
		return "No answer said which upstream it came from, so there is no share to check."
	}
	var parts []string
	for _, g := range r.Groups {
		if len(g.Reasons) > 0 {
			parts = append(parts, g.Name+": "+strings.Join(g.Reasons, " "))
		}
	}
	if len(parts) == 0 {
		return "There was no promise to check."
	}
	return strings.Join(parts, " ")
}

// margin says how far off the worst upstream of g was, and how far it might be.
func margin(g *run.Group) string {
	if g.PValue != nil {
		return fmt.Sprintf("G = %s (critical %s, p = %s)", decimals(g.WorstDeviation, 1), decimals(g.Bound, 1), decimals(*g.PValue, 3))
	}
	if g.Bound == 0 {
		return fmt.Sprintf("at most %s off", requests(g.WorstDeviation))
	}
	return fmt.Sprintf("at most %s off (bound %s)", requests(g.WorstDeviation), number(g.Bound))
}

// requests is a part of requests as words.
func requests(n float64) string {
	return number(n) + " " + plural(n, "request", "requests")
}
