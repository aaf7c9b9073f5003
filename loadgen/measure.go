package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/live"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
)

// measurement is one attack and what was counted.
type measurement struct {
	record  *run.Record
	tally   *tally.Tally
	outcome attack.Outcome
}

// counters is a Sink that counts for the record, for the live view, and whether anybody is there at all.
type counters struct {
	tally *tally.Tally
	meter *live.Meter // nil: nobody watches
	pulse *pulse
}

func (c counters) Add(h *tally.Hit) {
	c.tally.Add(h)
	c.pulse.Add(h)
	if c.meter != nil {
		c.meter.Add(h)
	}
}

// measure attacks once, at that rate, and counts.
func (p *plan) measure(ctx context.Context, id string, rate float64, view *live.View) (*measurement, error) {
	schedule, err := p.schedule(rate)
	if err != nil {
		return nil, err
	}
	workers := p.workersFor(rate)
	beat := pulse{warmup: p.warmup, used: newUsage()}
	cores := coresFor(schedule.Rate())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	tallies := make([]*tally.Tally, min(cores, workers))
	sinks := make([]attack.Sink, len(tallies))
	for i := range sinks {
		tallies[i] = tally.New(tally.Config{Warmup: p.warmup, Routes: len(p.scenario.Requests)})
		sinks[i] = counters{tallies[i], view.Meter(), &beat}
	}
	requests := make([]attack.Request, len(p.scenario.Requests))
	for i, r := range p.scenario.Requests {
		requests[i] = attack.Request{Method: r.Method, Path: r.Path, Body: r.Body, Draws: r.Draws}
		for _, h := range r.Header {
			requests[i].Header = append(requests[i].Header, attack.Header(h))
		}
	}
	ctx, done := beat.giveUp(ctx)
	defer done()
	outcome, err := attack.Run(ctx, attack.Config{
		Target: p.target, Requests: requests, At: p.scenario.At, Schedule: schedule, Workers: workers,
		Timeout: p.timeout, Insecure: p.insecure, UserAgent: agent(id), Sinks: sinks, Drain: 2 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("attack on %q: %w", p.targetText, err)
	}
	m := &measurement{tally: tallies[0], outcome: outcome}
	for _, t := range tallies[1:] {
		m.tally.Merge(t)
	}
	r := p.newRecord(id, outcome.Began)
	m.record = r
	if err := m.tally.Fill(r, p.scenario.Labels(), outcome.Measured); err != nil {
		return nil, err
	}
	r.RequestedRate = p.requestedRate(rate, schedule)
	r.Duration, r.Partial = outcome.Measured.Seconds(), outcome.Partial
	if sending := max(outcome.Measured, outcome.LastSent-p.warmup); sending > 0 {
		r.ActualRate = float64(r.Requests) / sending.Seconds()
	}
	r.Generator = beat.used.since()
	r.Generator.SendRatio = 1
	if due := schedule.DueBy(p.warmup + outcome.Measured); due > 0 {
		r.Generator.SendRatio = min(1, float64(r.Requests-outcome.Late)/float64(due))
	}
	if errors.Is(context.Cause(ctx), errNobody) {
		r.Warnings = append(r.Warnings, "Ended early: no request reached the target.")
	} else if !r.Valid() {
		r.Warnings = append(r.Warnings, fmt.Sprintf("Requests were not sent in time because all %d workers waited for answers or this "+
			"machine had no time for it: raise -workers, or lower the rate.", workers))
	}
	return m, nil
}

// agent is the User-Agent by which nginx's log tells the requests of a run from others.
func agent(id string) string { return "loadgen/" + id }

// newRecord has what is known before the attack.
func (p *plan) newRecord(id string, started time.Time) *run.Record {
	r := &run.Record{
		Schema: run.Schema, ID: id, Started: started.UTC(), Label: p.label, Target: p.targetText,
		Pace: p.paceText, Warmup: p.warmup.Seconds(), Command: p.command,
		Status: map[string]int64{}, Errors: []run.ErrorCount{}, Groups: []run.Group{}, Routes: []run.Route{},
	}
	r.Scenario = p.acting
	if p.scenario != nil {
		r.Scenario = p.scenario.Name
	}
	return r
}
