package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/live"
	"balanceo/loadgen/pace"
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
	workers := p.workersFor(schedule)
	cores, undo := tune(schedule)
	defer undo()
	beat := pulse{warmup: p.warmup, used: newUsage()}
	tallies := make([]*tally.Tally, min(cores, workers))
	sinks := make([]attack.Sink, len(tallies))
	for i := range sinks {
		tallies[i] = tally.New(tally.Config{Warmup: p.warmup, Routes: len(p.scenario.Requests)})
		sinks[i] = counters{tallies[i], view.Meter(), &beat}
	}
	ctx, done := beat.giveUp(ctx)
	defer done()
	outcome, err := attack.Run(ctx, attack.Config{
		Target: p.target, Requests: p.requests(), At: p.scenario.At, Schedule: schedule, Workers: workers,
		Timeout: p.timeout, Insecure: p.insecure, UserAgent: agent(id), Sinks: sinks, Drain: drain,
	})
	if err != nil {
		return nil, fmt.Errorf("attack on %q: %w", p.targetText, err)
	}
	m := &measurement{tally: tallies[0], outcome: outcome, record: p.newRecord(id, outcome.Began)}
	for _, t := range tallies[1:] {
		m.tally.Merge(t)
	}
	m.record.Generator = beat.used.since()
	m.record.RequestedRate = p.requestedRate(rate, schedule)
	if err := m.fill(p, schedule); err != nil {
		return nil, err
	}
	if errors.Is(context.Cause(ctx), errNobody) {
		m.record.Warnings = append(m.record.Warnings, "Ended early: no request reached the target.")
	} else if !m.record.Valid() {
		m.record.Warnings = append(m.record.Warnings, fmt.Sprintf("Requests were not sent in time because all %d workers waited for "+
			"answers or this machine had no time for it: raise -workers, or lower the rate.", workers))
	}
	return m, nil
}

// drain is how long requests under way may take after Ctrl-C.
const drain = 2 * time.Second

// requests are those of the scenario, for package attack.
func (p *plan) requests() []attack.Request {
	out := make([]attack.Request, len(p.scenario.Requests))
	for i, r := range p.scenario.Requests {
		out[i] = attack.Request{Method: r.Method, Path: r.Path, Body: r.Body, Draws: r.Draws}
		for _, h := range r.Header {
			out[i].Header = append(out[i].Header, attack.Header(h))
		}
	}
	return out
}

// fill puts what was counted, and how well the schedule was kept, into the record.
func (m *measurement) fill(p *plan, schedule pace.Schedule) error {
	r := m.record
	if err := m.tally.Fill(r, p.scenario.Labels(), m.outcome.Measured); err != nil {
		return err
	}
	r.Duration, r.Partial = m.outcome.Measured.Seconds(), m.outcome.Partial
	if sending := max(m.outcome.Measured, m.outcome.LastSent-p.warmup); sending > 0 {
		r.ActualRate = float64(r.Requests) / sending.Seconds()
	}
	r.Generator.SendRatio = 1
	if due := schedule.DueBy(p.warmup + m.outcome.Measured); due > 0 {
		r.Generator.SendRatio = min(1, float64(r.Requests-m.outcome.Late)/float64(due))
	}
	return nil
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
