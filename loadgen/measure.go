package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/live"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/socket"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/cli"
)

// measurement is one attack and what was counted.
type measurement struct {
	record  *run.Record
	tally   *tally.Tally
	outcome attack.Outcome
}

// sinks passes each hit to several.
type sinks []attack.Sink

func (s sinks) Add(h *tally.Hit) {
	for _, one := range s {
		one.Add(h)
	}
}

// attack is the plan for package attack.
func (p *plan) attack(id string, l load, s pace.Schedule) (attack.Config, error) {
	cfg := attack.Config{
		Target: p.target, Requests: l.Requests, At: l.At, Schedule: s, Engine: p.engine, Workers: p.workersFor(s), InTurn: p.inTurn,
		NoKeepAlive: p.noKeepAlive, Timeout: p.timeout, UserAgent: agent(id), RequestID: id, Expect: p.expect, By: p.by, Client: p.client,
		StartAt: p.begin(), Drain: drain,
	}
	cfg.Target.Prefix = "" // the requests have it
	if u, whole := l.Requests[0].Whole(); whole && p.targetsFile != "" {
		var err error
		if cfg.Target, err = attack.ParseTarget(u.Scheme + "://" + u.Host); err != nil {
			return cfg, fmt.Errorf("-targets %q: URL %q: %w", p.targetsFile, u, err)
		}
	}
	if err := cfg.Fast(); err != nil && p.engine == attack.Fast {
		return cfg, cli.Usagef("-engine fast: %w; accepted is vegeta", err)
	}
	return cfg, nil
}

// drain is how long requests under way may take after Ctrl-C.
const drain = 2 * time.Second

// measure attacks once and counts.
func (p *plan) measure(ctx context.Context, id string, l load, schedule pace.Schedule, view *live.View, others *watchers) (*measurement, error) {
	cfg, err := p.attack(id, l, schedule)
	if err != nil {
		return nil, err
	}
	var tallies []*tally.Tally
	cfg.Sink = func() attack.Sink {
		t := tally.New(tally.Config{Warmup: p.warmup, End: schedule.End(), Routes: len(l.Requests)})
		tallies = append(tallies, t)
		out := append(sinks{t}, others.sinks(cfg)...)
		if meter := view.Meter(); meter != nil {
			out = append(out, meter)
		}
		return out
	}
	outcome, err := attack.Run(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("attack on %q: %w", p.targetText, err)
	}
	m := &measurement{tally: tallies[0], outcome: outcome, record: p.newRecord(id, l, outcome.Began)}
	for _, t := range tallies[1:] {
		m.tally.Merge(t)
	}
	m.record.Generator = run.Generator{CPU: outcome.CPU.Seconds(), MaxRSS: outcome.MaxRSS, Grid: outcome.Grid.Seconds()}
	m.record.RequestedRate = p.requestedRate(schedule)
	m.record.Load = run.Load{
		Engine: string(outcome.Engine), Workers: cfg.Workers, KeepAlive: !p.noKeepAlive, Timeout: p.timeout.Seconds(), Cores: runtime.NumCPU(),
	}
	switch {
	case p.inTurn:
		m.record.Load.Connections = cfg.Workers
	case p.scenarioName == scenario.Session:
		m.record.Load.Users = p.users
	case p.scenarioName == scenario.Mix, p.scenarioName == scenario.Randoms:
		m.record.Load.Cant = p.cant
	}
	if err := m.fill(p, l, schedule); err != nil {
		return nil, err
	}
	m.warn(cfg.Workers)
	return m, nil
}

// fill puts what was counted, and how well the schedule was kept, into the record.
func (m *measurement) fill(p *plan, l load, schedule pace.Schedule) error {
	r := m.record
	if err := m.tally.Fill(r, l.Labels(), m.outcome.Measured); err != nil {
		return err
	}
	r.Duration, r.Partial = m.outcome.Measured.Seconds(), m.outcome.Partial
	if sending := max(m.outcome.Measured, m.outcome.LastSent-p.warmup); sending > 0 {
		r.ActualRate = float64(r.Requests) / sending.Seconds()
	}
	r.Generator.SendRatio = 1
	until := p.warmup + m.outcome.Measured
	if r.Partial { // what was as late as others when the end came would have been sent as they were
		until = max(p.warmup, until-time.Duration(r.ScheduleLag.Max*float64(time.Second)))
	}
	if due := int64(schedule.DueBy(until)); due > 0 {
		r.Unsent = max(0, due-r.Requests)
		r.Missing += r.Unsent
		r.SuccessRatio *= float64(r.Requests) / float64(r.Requests+r.Unsent)
		r.Generator.SendRatio = min(1, max(0, float64(r.Requests-m.outcome.Late)/float64(due))) // the warm-up may be late, too
	}
	if l.Name == scenario.Session {
		r.Session = &run.Session{Users: p.users, Requests: r.Requests, Breaks: scenario.Breaks(r.Status)}
	}
	return nil
}

// warn says what throws doubt on the figures.
func (m *measurement) warn(workers int) {
	r := m.record
	say := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	switch {
	case m.outcome.Nobody:
		say("Ended early: no request reached the target.")
	case r.RequestedRate > 0 && r.Generator.SendRatio < run.ValidSendRatio:
		say("Requests were not sent in time because all %d workers waited for answers or this machine had no time for it: "+
			"raise -workers, or lower the rate.", workers)
	}
	if lagged := r.Lagged(); r.RequestedRate > 0 && lagged != nil {
		say("The generator itself was late by up to %v: it makes %s %v instead of %v. Counts and shares are as they are.",
			text(r.Generator.Lag.Max), lagged.Name, text(lagged.With), text(lagged.Without))
	}
	if r.AnswerTime > r.Duration && r.Duration > 0 {
		say("Answers came at %.4g/s where %.4g/s were asked for: a backlog was left that took %v longer.", float64(r.Responses)/r.AnswerTime,
			cmp.Or(r.RequestedRate, r.ActualRate), text(r.AnswerTime-r.Duration))
	}
	if n := m.outcome.Unasked; n > 0 {
		say("After %s the server sent more than was asked for: answers may have been counted for other requests than their own.", units.Count(n, "answer"))
	}
	if r.Missing > 0 && r.Latency.P50 > 0 {
		say("%d requests lie above all percentiles: %d were never sent, %d never answered.", r.Missing, r.Unsent, r.Missing-r.Unsent)
	}
}

// text is a time in seconds for people.
func text(seconds float64) time.Duration {
	return time.Duration(seconds * 1e9).Round(10 * time.Microsecond)
}

// requestedRate is what the record calls the rate: as it was given, or the mean of a pace with rates of its own.
func (p *plan) requestedRate(s pace.Schedule) float64 {
	if pace.OwnRates(p.paceText) {
		return s.Rate()
	}
	return p.rate / float64(max(p.parts, 1))
}

// agent is the User-Agent by which nginx's log tells the requests of a run from others.
func agent(id string) string { return tally.Agent + id }

// newRecord has what is known before the attack.
func (p *plan) newRecord(id string, l load, started time.Time) *run.Record {
	r := &run.Record{
		Schema: run.Schema, ID: id, Started: started.UTC(), Label: p.label, Scenario: l.Name, Target: p.targetText,
		Pace: p.paceText, Warmup: p.warmup.Seconds(), Command: p.command,
		Status: map[string]int64{}, Errors: []run.ErrorCount{}, Groups: []run.Group{}, Routes: []run.Route{},
	}
	if p.parts > 0 {
		r.Part = p.partOf(started)
	}
	return r
}

// senders is how many of the websocket clients send products.
const senders = 4

// measureSockets connects the websocket clients and has products sent by the schedule. The requests of the record
// are the connections; rate and latency are those of the products.
func (p *plan) measureSockets(ctx context.Context, id string, l load, schedule pace.Schedule, view *live.View) (*measurement, error) {
	if !schedule.Paced() {
		return nil, errors.New("scenario ws: products are sent at a rate, not as fast as it goes")
	}
	counts := tally.New(tally.Config{Warmup: p.warmup, Routes: 1})
	var delivered func(h *tally.Hit)
	if meter := view.Meter(); meter != nil {
		var mu sync.Mutex
		delivered = func(h *tally.Hit) {
			mu.Lock()
			defer mu.Unlock()
			meter.Add(h)
		}
	}
	before, _ := attack.Used()
	out, err := socket.Run(ctx, socket.Config{
		URL: strings.Replace(p.target.URL(), "http", "ws", 1) + "/ws", Thumbnail: p.target.URL() + "/icon.svg", UserAgent: agent(id),
		Cookie: l.cookie, Run: id, Clients: p.clients, Senders: min(senders, p.clients), Schedule: schedule, TLS: p.client.TLS,
		Timeout: p.timeout, Connected: counts.Add, Delivered: delivered,
	})
	if err != nil {
		return nil, err
	}
	cpu, rss := attack.Used()
	r := p.newRecord(id, l, out.Began)
	if err := counts.Fill(r, l.Labels(), out.Measured); err != nil {
		return nil, err
	}
	r.Series = nil // of connections, which were all opened before the first product
	r.RequestedRate = p.requestedRate(schedule)
	r.Load = run.Load{Workers: p.clients, Clients: p.clients, KeepAlive: true, Timeout: p.timeout.Seconds(), Cores: runtime.NumCPU()}
	r.Duration, r.Partial = out.Measured.Seconds(), out.Partial
	r.WS, r.Latency, r.ScheduleLag, r.Generator = &out.WS, out.Latency, out.Lag, run.Generator{CPU: (cpu - before).Seconds(), MaxRSS: rss, SendRatio: 1}
	if out.Due > 0 {
		r.Generator.SendRatio = min(1, float64(out.WS.Sent)/float64(out.Due))
	}
	if r.Duration > 0 {
		r.ActualRate = float64(out.WS.Sent) / r.Duration
	}
	if out.Broken > 0 || out.Refused > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("Websockets that broke before the end: %d; products that a server refused: %d (%s).",
			out.Broken, out.Refused, out.Reason))
	}
	return &measurement{record: r, tally: counts, outcome: attack.Outcome{Began: out.Began, Measured: out.Measured, Partial: out.Partial}}, nil
}
