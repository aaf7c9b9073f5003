package main

import (
	"context"
	"fmt"
	"strings"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/live"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/socket"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

// senders is how many of the websocket clients send products.
const senders = 4

// prepare signs up the users of the scenarios that need any, so that this is no part of what is measured.
func (p *plan) prepare(ctx context.Context, id string) error {
	if p.acting == "" {
		return nil
	}
	users := 1
	if p.acting == scenario.Session {
		users = p.users
	}
	accounts := scenario.Accounts{
		URL: p.target.URL(), UserAgent: agent(id) + attack.WarmupSuffix, Insecure: p.insecure, Prefix: id,
	}
	cookies, err := accounts.SignUp(ctx, users)
	if err != nil {
		return cli.Hint(err, "scenario %s needs an application with POST /signup; is the layout up? `topology status` tells", p.acting)
	}
	if p.acting == scenario.Session {
		p.scenario, err = scenario.SignedIn(cookies)
		return err
	}
	p.cookie = cookies[0]
	p.scenario, err = scenario.New(scenario.WebSocket, []scenario.Request{{Method: "GET", Path: "/ws", Weight: 1}})
	return err
}

// act measures once, by the scenario.
func (p *plan) act(ctx context.Context, id string, rate float64, view *live.View) (*measurement, error) {
	switch p.acting {
	case scenario.Session:
		m, err := p.measure(ctx, id, rate, view)
		if err != nil {
			return nil, err
		}
		r := m.record
		r.Session = &run.Session{Users: p.users, Requests: r.Requests, Breaks: scenario.Breaks(r.Status)}
		return m, nil
	case scenario.WebSocket:
		return p.measureSockets(ctx, id, rate, view)
	}
	return p.measure(ctx, id, rate, view)
}

// measureSockets connects the websocket clients and has products sent at that rate. The requests of the record
// are the connections; rate and latency are those of the products.
func (p *plan) measureSockets(ctx context.Context, id string, rate float64, view *live.View) (*measurement, error) {
	schedule, err := p.schedule(rate)
	if err != nil {
		return nil, err
	}
	counts := tally.New(tally.Config{Warmup: p.warmup, Routes: 1})
	var delivered func(h *tally.Hit)
	if meter := view.Meter(); meter != nil {
		delivered = meter.Add
	}
	used := newUsage()
	url := strings.Replace(p.target.URL(), "http", "ws", 1) + "/ws"
	out, err := socket.Run(ctx, socket.Config{
		URL: url, Thumbnail: p.target.URL() + "/icon.svg", UserAgent: agent(id), Cookie: p.cookie, Run: id,
		Clients: p.clients, Senders: min(senders, p.clients), Schedule: schedule, Insecure: p.insecure, Timeout: p.timeout,
		Connected: counts.Add, Delivered: delivered,
	})
	if err != nil {
		return nil, err
	}
	r := p.newRecord(id, out.Began)
	if err := counts.Fill(r, p.scenario.Labels(), out.Measured); err != nil {
		return nil, err
	}
	r.Series = nil // of connections, which were all opened before the first product
	r.RequestedRate = p.requestedRate(rate, schedule)
	r.Duration, r.Partial = out.Measured.Seconds(), out.Partial
	r.WS, r.Latency, r.ScheduleLag, r.Generator = &out.WS, out.Latency, out.Lag, used.since()
	r.Generator.SendRatio = 1
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

// actingReasons are the promises of the scenarios session and ws that were broken. Order is none of them: what
// is sent through several servers at once has no order that all of them could keep.
func actingReasons(r *run.Record) []string {
	var reasons []string
	if s := r.Session; s != nil && s.Breaks > 0 {
		reasons = append(reasons, fmt.Sprintf("session breaks: %d", s.Breaks))
	}
	if s := r.WS; s != nil && s.Lost+s.Doubled > 0 {
		reasons = append(reasons, fmt.Sprintf("deliveries: %d lost, %d doubled", s.Lost, s.Doubled))
	}
	return reasons
}
