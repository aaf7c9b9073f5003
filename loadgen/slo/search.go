package slo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"balanceo/results/run"
)

// Precision is how close to each other the highest rate that held and the lowest that did not are at the end.
const Precision = 1.02

// highestRate ends the doubling: no one machine sends more.
const highestRate = 10e6

// Probe runs at one rate and returns the record of the run. With confirm it is the last, longer run.
type Probe func(ctx context.Context, rate float64, confirm bool) (*run.Record, error)

// Search finds the highest rate at which the SLO holds: it doubles the rate from start until one does not
// hold (or halves it until one does), halves the interval until its ends are within Precision, and confirms
// the result with a last, longer run. Where that fails it goes down, by 5 % at first and by twice as much each
// time, until a rate is confirmed or confirmations are used up. The record
// returned is that of the last run. The Search is complete as far as it got even when there is an error:
// MaxRate is then the highest rate that has held so far, unconfirmed.
func (s SLO) Search(ctx context.Context, start float64, probe Probe) (*run.Search, *run.Record, error) {
	f := &finder{slo: s, probe: probe, found: &run.Search{SLO: s.Text, Steps: []run.SearchStep{}}}
	low, high, err := f.bracket(ctx, start)
	for err == nil && low > 0 && high > low*Precision {
		var held bool
		middle := low + (high-low)/2
		if whole := tidy(middle); whole > low && whole < high {
			middle = whole
		}
		if held, err = f.try(ctx, middle, false); held {
			low = middle
		} else {
			high = middle
		}
	}
	if err == nil && low > 0 {
		low, err = f.confirm(ctx, low)
	}
	if f.found.Confirmed || err != nil {
		f.found.MaxRate = low
	}
	return f.found, f.last, err
}

// confirmations are how often a rate is tried at full length: 1, 0.95, 0.86, 0.68 and 0.41 of what the short
// steps found. Beside a knee a queue that a short step outlives grows for as long as a long run lasts.
const confirmations = 5

func (f *finder) confirm(ctx context.Context, rate float64) (float64, error) {
	cut := 0.05
	for i := range confirmations {
		held, err := f.try(ctx, rate, true)
		if f.found.Confirmed = held; held || err != nil {
			return rate, err
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
}

// bracket returns a rate that holds and one above it that does not; low is 0 if none holds. As a wrong step
// here would be off by a factor of two, a rate that does not hold gets a second chance.
func (f *finder) bracket(ctx context.Context, start float64) (low, high float64, err error) {
	held, err := f.tryTwice(ctx, start)
	if err != nil {
		return heldAt(start, held), 0, err
	}
	if held {
		for low = start; low < highestRate; low = high {
			high = low * 2
			if held, err = f.tryTwice(ctx, high); err != nil && held {
				return high, high, err
			} else if err != nil || !held {
				return low, high, err
			}
		}
		return low, low, nil
	}
	for high = start; high >= 2; high = low {
		low = tidy(high / 2)
		if held, err = f.tryTwice(ctx, low); err != nil || held {
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

func (f *finder) tryTwice(ctx context.Context, rate float64) (bool, error) {
	held, err := f.try(ctx, rate, false)
	if held || err != nil {
		return held, err
	}
	return f.try(ctx, rate, false)
}

// try runs at a rate and tells whether it held.
func (f *finder) try(ctx context.Context, rate float64, confirm bool) (bool, error) {
	r, err := f.probe(ctx, rate, confirm)
	if err != nil {
		return false, err
	}
	f.last = r
	step := run.SearchStep{
		Rate: rate, ActualRate: r.ActualRate, P50: r.Latency.P50, P99: r.Latency.P99, ErrorRatio: ErrorRatio(r),
	}
	step.Reason = f.slo.broken(r)
	step.Held = step.Reason == ""
	f.found.Steps = append(f.found.Steps, step)
	if r.Partial || ctx.Err() != nil {
		return step.Held, errors.Join(ErrInterrupted, ctx.Err())
	}
	return step.Held, nil
}

// ErrInterrupted is why a search ended before its time.
var ErrInterrupted = errors.New("the search was interrupted")

// broken says why the run does not hold; empty if it does. A run that did not get its requests sent does
// not hold, whatever its other figures are.
func (s SLO) broken(r *run.Record) string {
	var reasons []string
	for _, c := range s.Conditions {
		value, holds, err := c.Check(r)
		switch {
		case err != nil:
			reasons = append(reasons, err.Error())
		case !holds:
			reasons = append(reasons, fmt.Sprintf("%s is %s, want %s%s", c.name(), c.Show(value), c.op, c.Show(c.limit)))
		}
	}
	if !r.Valid() {
		reasons = append(reasons, fmt.Sprintf("sent %.1f%% of the rate", r.Generator.SendRatio*100))
	}
	return strings.Join(reasons, "; ")
}

func (c Condition) name() string { return strings.TrimSpace(c.Text[:strings.IndexAny(c.Text, "<>")]) }
