package run

import (
	"fmt"
	"math"
	"strings"
)

// Successes is how many requests succeeded, which is how many the latencies are of.
func (r *Record) Successes() int64 {
	return int64(math.Round(r.SuccessRatio * float64(r.Requests+r.Unsent)))
}

// Failed is how many requests failed, and whether that breaks a promise: by default any failed request does, but not where
// an assertion on errors holds, nor in a search, whose conditions say what is allowed.
func (r *Record) Failed() (n int64, broken bool) {
	n = r.Requests - r.Successes()
	for _, a := range r.Asserts {
		if a.Passed && (strings.HasPrefix(a.Expr, "errors") || strings.HasPrefix(a.Expr, "success")) {
			return n, false
		}
	}
	return n, n > 0 && r.Search == nil
}

// Valid tells whether the generator kept up, so that the figures speak of the servers and not of it.
func (r *Record) Valid() bool {
	return r.RequestedRate == 0 || r.Generator.SendRatio >= ValidSendRatio && r.Lagged() == nil
}

// WhyUseless tells why the figures can't be trusted, as a clause; empty if they can. It speaks of runs at a rate: a search
// for the highest ends with a run that may be at the edge.
func (r *Record) WhyUseless() string {
	switch {
	case r.Partial:
		return "ended before its time"
	case r.Search != nil && r.Search.MaxRate <= 0:
		return "no rate held"
	case r.Search != nil:
		return ""
	case r.Responses == 0:
		return "nothing was answered"
	case r.Lagged() != nil && !r.Valid():
		return "the generator itself was late, which moved " + r.Lagged().Name + " by more than a tenth"
	case !r.Valid():
		return fmt.Sprintf("the generator sent less than %g %% of what was due", 100*ValidSendRatio)
	case r.Reconciliation.Unexplained > 0:
		return "the counts of client, balancer and servers do not agree"
	}
	return ""
}

// Moved is a percentile that the generator's own lag moved, in seconds.
type Moved struct {
	Name          string
	With, Without float64
}

// Lagged is the highest percentile, p99 at most, that the generator's own lag moved by more than a tenth; nil: none.
// Only those count that so many requests tell (see Supports), which are those that are shown: of 30 requests a single
// late one decides p99, and nobody is told a p99 of 30 requests. What moves a percentile by less than leastLag is no
// finding either.
func (r *Record) Lagged() *Moved {
	n := r.Successes()
	if r.WS != nil || r.Generator.Lag.Max == 0 {
		return nil
	}
	with, without := &r.Latency, &r.Generator.WithoutLag
	for _, p := range []struct {
		q float64
		Moved
	}{
		{0.99, Moved{"p99", with.P99, without.P99}},
		{0.95, Moved{"p95", with.P95, without.P95}},
		{0.90, Moved{"p90", with.P90, without.P90}},
		{0.50, Moved{"p50", with.P50, without.P50}},
	} {
		if moved := p.With - p.Without; Supports(p.q, n) && moved > p.Without/10 && moved > leastLag {
			return &p.Moved
		}
	}
	return nil
}

// leastLag is in seconds: less than the slice of time after which Linux takes a processor from a process that others wait
// for (1.4 ms with two cores, 2.8 ms with eight and more), and some ten times what a timer is late.
const leastLag = 1e-3
