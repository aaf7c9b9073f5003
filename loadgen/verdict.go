package main

import (
	"errors"
	"fmt"
	"strings"

	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

// verdict is how the run ended: an error for the caller of the command, or nil.
func (p *plan) verdict(r *run.Record) error {
	if r.WS == nil && r.Responses == 0 {
		return cli.Hint(noAnswer(r), "is the layout up? `topology status` tells, `make topology` starts it")
	}
	if r.Search != nil && r.Partial {
		return fmt.Errorf("-find-max %s was interrupted before a rate was confirmed", r.Search.SLO)
	}
	var reasons []string
	if n, some := r.Failed(); some {
		reasons = append(reasons, fmt.Sprintf("%d of %d requests failed", n, r.Requests))
	}
	for _, g := range r.Groups {
		if g.Verdict == run.Fail {
			reasons = append(reasons, "group "+g.Name+" is not shared as promised")
		}
	}
	for _, a := range r.Asserts {
		switch {
		case a.Unknown:
			reasons = append(reasons, "-assert "+a.Expr+" could not be checked")
		case !a.Passed:
			reasons = append(reasons, "-assert "+a.Expr+" does not hold")
		}
	}
	reasons = append(reasons, brokenPromises(r)...)
	if r.Search != nil && !r.Search.Confirmed {
		reasons = append(reasons, "-find-max "+r.Search.SLO+" found no rate that holds")
	}
	if word, _ := report.Outcome(r); word == "INVALID" && len(reasons) == 0 {
		reasons = append(reasons, "the run is invalid: "+whyInvalid(r))
	}
	if len(reasons) > 0 {
		return &cli.VerdictError{Reason: strings.Join(reasons, "; ")}
	}
	return nil
}

// whyInvalid is the cause in a few words: the report has the sentence.
func whyInvalid(r *run.Record) string {
	switch {
	case r.Lagged() != nil:
		return "the generator itself was late"
	case !r.Valid():
		return "the generator fell behind"
	}
	return "the counts do not agree"
}

func noAnswer(r *run.Record) error {
	if len(r.Errors) == 0 {
		return errors.New("no request was sent in the measured part")
	}
	classes := make([]string, len(r.Errors))
	for i, e := range r.Errors {
		classes[i] = fmt.Sprintf("%s × %d", e.Class, e.Count)
	}
	return fmt.Errorf("target %q: no request was answered: %s", r.Target, strings.Join(classes, ", "))
}

// brokenPromises are the promises of the scenarios session and ws that were broken. Order is none of them: what
// is sent through several servers at once has no order that all of them could keep.
func brokenPromises(r *run.Record) []string {
	var reasons []string
	if s := r.Session; s != nil && s.Breaks > 0 {
		reasons = append(reasons, fmt.Sprintf("session breaks: %d", s.Breaks))
	}
	if s := r.WS; s != nil && s.Lost+s.Doubled > 0 {
		reasons = append(reasons, fmt.Sprintf("deliveries: %d lost, %d doubled", s.Lost, s.Doubled))
	}
	return reasons
}
