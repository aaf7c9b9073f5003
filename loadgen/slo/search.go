package slo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"balanceo/results/run"
)

// DefaultPrecision is how close to each other the highest rate that held and the lowest that did not are at the end.
const DefaultPrecision = 1.02

// highestRate ends the doubling: no one machine sends more.
const highestRate = 10e6

// Probe runs at one rate and returns the record of the run. With confirm it is the last, longer run.
type Probe func(ctx context.Context, rate float64, confirm bool) (*run.Record, error)

// sure is how sure a rate's verdict has to be before the search goes on, and tries how often it is tried at most. From
// the precision coarse on, which is wider than the noise of a knee, one run makes a rate sure enough.
const (
	sure   = 0.85
	tries  = 7
	coarse = 1.05
)

func (s SLO) precision() float64 { return cmp.Or(s.Precision, DefaultPrecision) }

func (s SLO) sure() float64 {
	if s.precision() >= coarse {
		return 0.75
	}
	return sure
}

// Search finds the highest rate at which the SLO holds: from start it goes up until a rate does not hold (or down until
// one does), by a fifth at first and twofold at last, halves the interval until its ends are within the precision, and
// confirms the result with a last, longer run. Where that fails it goes down, by 2 % at first and by twice as much each
// time, until a rate is confirmed or confirmations are used up.
//
// A run near the knee holds or does not by chance, so there a rate is tried until one verdict is sure; far from it, one
// run tells that a rate holds, and two that it does not. The record returned is that of the last run. The Search is
// complete as far as it got even when there is an error: MaxRate is then the highest rate that has held so far,
// unconfirmed.
func (s SLO) Search(ctx context.Context, start float64, probe Probe) (*run.Search, *run.Record, error) {
	f := &finder{slo: s, probe: probe, found: &run.Search{SLO: s.Text, Steps: []run.SearchStep{}}, votes: map[float64]votes{}, again: map[float64]bool{}}
	low, high, err := f.bracket(ctx, start)
	for err == nil && low > 0 {
		if low, high, err = f.narrow(ctx, low, high); err != nil || f.again[high] {
			break
		}
		// Two runs in a row can be spoilt by what has nothing to do with the rate, and the search would stay below for
		// good: what it ends below has to fail once more.
		f.again[high] = true
		f.votes[high] = votes{}
		var held bool
		if held, err = f.decide(ctx, high); err != nil || !held {
			break
		}
		low, high, err = f.bracket(ctx, high)
	}
	f.found.Confidence = f.votes[low].holds() * (1 - f.votes[high].holds())
	if err == nil && low > 0 {
		low, err = f.confirm(ctx, low)
	}
	if f.found.Confirmed || err != nil {
		f.found.MaxRate = low
	}
	return f.found, f.last, err
}

// narrow halves the interval between a rate that holds and one that does not.
func (f *finder) narrow(ctx context.Context, low, high float64) (float64, float64, error) {
	for high > low*f.slo.precision() {
		middle := low + (high-low)/2
		if whole := tidy(middle); whole > low && whole < high {
			middle = whole
		}
		held, err := f.decide(ctx, middle)
		if held {
			low = middle
		} else {
			high = middle
		}
		if err != nil {
			return low, high, err
		}
	}
	return low, high, nil
}

// confirmations are how many rates are tried at full length: 1, 0.98, 0.94, 0.87, 0.73 and 0.49 of what the short
// steps found. Beside a knee a queue that a short step outlives grows for as long as a long run lasts.
const confirmations = 6

// confirm runs at full length. A rate that does not hold then has one more run, and if that holds a third decides.
func (f *finder) confirm(ctx context.Context, rate float64) (float64, error) {
	cut := 0.02
	for i := range confirmations {
		held, failed := 0, 0
		for held == 0 && failed < 2 || held > 0 && failed > 0 && held < 2 && failed < 2 {
			v, err := f.try(ctx, rate, true)
			if v.held > 0 {
				held++
			} else {
				failed++
			}
			if f.found.Confirmed = held > failed; err != nil {
				return rate, err
			}
		}
		if f.found.Confirmed = held > 0 && (failed == 0 || held > failed); f.found.Confirmed {
			return rate, nil
		}
		if i < confirmations-1 {
			rate = tidy(rate * (1 - cut))
			cut *= 2
		}
	}
	return rate, nil
}

type finder struct {
	slo   SLO
	probe Probe
	found *run.Search
	last  *run.Record
	votes map[float64]votes // by rate
	again map[float64]bool  // rates that were tried once more at the end
}

// votes are what the runs at one rate said. A run far from the knee counts for more than one near it.
type votes struct{ held, failed int }

// The weights: one run that clearly holds makes its rate sure, one that clearly does not needs a second.
const (
	clearlyHeld   = 3
	clearlyFailed = 2
)

// holds is the probability that the rate holds more often than not, by these votes and no knowledge before them: that
// of a beta distribution with as many successes and failures.
func (v votes) holds() float64 {
	n := v.held + v.failed + 1
	sum, choose := 0.0, 1.0
	for j := 0; j <= v.held; j++ {
		sum += choose
		choose = choose * float64(n-j) / float64(j+1)
	}
	return sum / math.Pow(2, float64(n))
}

// decide tries a rate until it is sure whether it holds, or the tries are used up.
func (f *finder) decide(ctx context.Context, rate float64) (bool, error) {
	sure := f.slo.sure()
	if p := f.votes[rate].holds(); p >= sure || p <= 1-sure {
		return p > 0.5, nil
	}
	for range tries {
		v, err := f.try(ctx, rate, false)
		all := f.votes[rate]
		all.held, all.failed = all.held+v.held, all.failed+v.failed
		f.votes[rate] = all
		if p := all.holds(); err != nil || p >= sure || p <= 1-sure {
			return p > 0.5, err
		}
	}
	return f.votes[rate].holds() > 0.5, nil
}

// try runs at a rate and tells what that says.
func (f *finder) try(ctx context.Context, rate float64, confirm bool) (votes, error) {
	r, err := f.probe(ctx, rate, confirm)
	if err != nil {
		return votes{}, err
	}
	f.last = r
	step := run.SearchStep{
		Rate: rate, ActualRate: r.ActualRate, Requests: r.Requests, P50: r.Latency.P50, P99: r.Latency.P99, ErrorRatio: ErrorRatio(r),
	}
	var beyond bool
	step.Reason, beyond = f.slo.broken(r)
	step.Held = step.Reason == ""
	f.found.Steps = append(f.found.Steps, step)
	v := votes{failed: 1}
	switch {
	case step.Held && beyond:
		v = votes{held: clearlyHeld}
	case step.Held:
		v = votes{held: 1}
	case beyond:
		v = votes{failed: clearlyFailed}
	}
	if r.Partial || ctx.Err() != nil {
		return v, errors.Join(ErrInterrupted, ctx.Err())
	}
	return v, nil
}

// firstStep is the first factor of a bracket: a search that begins near the knee, as one of several does, is soon done.
const firstStep = 1.2

// bracket returns a rate that holds and one above it that does not; low is 0 if none holds.
func (f *finder) bracket(ctx context.Context, start float64) (low, high float64, err error) {
	held, err := f.decide(ctx, start)
	if err != nil {
		return heldAt(start, held), 0, err
	}
	if held {
		factor := firstStep
		for low = start; low < highestRate; low = high {
			high = max(low+1, tidy(low*factor))
			factor = min(factor*factor, 2)
			if held, err = f.decide(ctx, high); err != nil && held {
				return high, high, err
			} else if err != nil || !held {
				return low, high, err
			}
		}
		return low, low, nil
	}
	factor := firstStep
	for high = start; high >= 2; high = low {
		low = min(high-1, tidy(high/factor))
		factor = min(factor*factor, 2)
		if held, err = f.decide(ctx, low); err != nil || held {
			return heldAt(low, held), high, err
		}
	}
	return 0, high, nil
}

func heldAt(rate float64, held bool) float64 {
	if held {
		return rate
	}
	return 0
}

// tidy rounds a rate where that changes it by less than a tenth.
func tidy(rate float64) float64 {
	if rate < 5 {
		return rate
	}
	return math.Round(rate)
}

// ErrInterrupted is why a search ended before its time.
var ErrInterrupted = errors.New("the search was interrupted")

// broken says why the run does not hold; empty if it does. A run that did not get its requests sent does
// not hold, whatever its other figures are. beyond tells that noise does not explain it.
func (s SLO) broken(r *run.Record) (reason string, beyond bool) {
	var reasons []string
	allClear, oneClear := true, false
	for _, c := range s.Conditions {
		value, holds, err := c.Check(r)
		switch {
		case err != nil:
			reasons = append(reasons, err.Error())
			oneClear = true
		case !holds:
			reasons = append(reasons, fmt.Sprintf("%s is %s, want %s%s", c.name(), c.Show(value), c.op, c.Show(c.limit)))
			oneClear = oneClear || c.clear(value, false)
		default:
			allClear = allClear && c.clear(value, true)
		}
	}
	if r.Generator.SendRatio < run.ValidSendRatio {
		reasons = append(reasons, fmt.Sprintf("sent %.1f%% of the rate", r.Generator.SendRatio*100))
		oneClear = oneClear || r.Generator.SendRatio < 0.9
	}
	if len(reasons) > 0 { // what the generator's own lag spoilt is no clear finding about the rate
		return strings.Join(reasons, "; "), oneClear && r.Lagged() == nil
	}
	return "", allClear
}

func (c Condition) name() string { return strings.TrimSpace(c.Text[:strings.IndexAny(c.Text, "<>")]) }
