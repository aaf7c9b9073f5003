package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"balanceo/loadgen/promise"
	"balanceo/loadgen/slo"
	"balanceo/results/run"
)

// Lengths of the runs of -find-max. The last one, which confirms, lasts as long as -duration says.
const (
	stepDuration = 3 * time.Second
	stepWarmup   = 500 * time.Millisecond
	coolDown     = 500 * time.Millisecond // at most; a third of a step
)

// findMax searches for the highest rate that holds and returns the record of the run that confirmed it.
func (p *plan) findMax(ctx context.Context, promised *promise.Promise, stderr *os.File) (*run.Record, error) {
	step := *p
	step.step, step.quiet, step.duration, step.warmup = true, true, min(stepDuration, p.duration), min(stepWarmup, p.warmup)
	probe := func(ctx context.Context, rate float64, confirm bool) (*run.Record, error) {
		plan := step
		if confirm {
			plan = *p
		}
		plan.rate = rate
		if enough := time.Duration(p.search.Sample() / rate * float64(time.Second)); !confirm {
			plan.duration = min(max(plan.duration, enough), p.duration)
		}
		schedule, err := plan.schedule()
		if err != nil {
			return nil, err
		}
		r, err := plan.once(ctx, schedule, promised, nil, stderr)
		if err != nil {
			return nil, err
		}
		if !p.quiet {
			fmt.Fprintf(stderr, "%10.0f/s  p50 %-9s p99 %-9s errors %.2f%%\n", rate,
				time.Duration(r.Latency.P50*1e9).Round(10*time.Microsecond), time.Duration(r.Latency.P99*1e9).Round(10*time.Microsecond),
				slo.ErrorRatio(r)*100)
		}
		select {
		case <-time.After(min(coolDown, step.duration/3)):
		case <-ctx.Done():
		}
		return r, nil
	}
	found, r, err := p.search.Search(ctx, cmp.Or(p.rate, 200), probe)
	if r == nil {
		return nil, err
	}
	if err != nil && !errors.Is(err, slo.ErrInterrupted) {
		return nil, err
	}
	r.Search = found
	if sample := p.search.Sample(); float64(r.Requests) < sample {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s rests on %d requests where %.0f can tell: give a longer -duration.", p.search.Text, r.Requests, sample))
	}
	r.Partial = r.Partial || err != nil
	return r, nil
}
