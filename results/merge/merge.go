// Package merge adds the records of several generators, each of which sent a part of one schedule, to the record of one
// run. Counts, histograms, series, shares and reconciliation are added; what can't be added is left out or told.
package merge

import (
	"cmp"
	"slices"

	"balanceo/results/run"
)

// Records merges the parts of one load. It refuses parts that don't belong together, that are missing or there twice.
func Records(parts []*run.Record) (*run.Record, error) {
	parts, err := together(parts)
	if err != nil {
		return nil, err
	}
	first := parts[0]
	m := &run.Record{
		Schema: run.Schema, Layout: first.Layout, Label: first.Label, Scenario: first.Scenario,
		Target: first.Target, Pace: first.Pace, Warmup: first.Warmup, Env: first.Env, Command: command(first.Command),
		Status: map[string]int64{},
	}
	for _, r := range parts {
		addUp(m, r)
	}
	m.ID = run.NewID(m.Started)
	m.SuccessRatio = weighted(parts, func(r *run.Record) (float64, int64) { return r.SuccessRatio, r.Requests + r.Unsent })
	a := adder{}
	m.Latency = a.latency(parts, "latency of the run", func(r *run.Record) *run.Latency { return &r.Latency }, true)
	m.Failures = a.optional(parts, "latency of the failures", func(r *run.Record) *run.Latency { return r.Failures })
	m.Connect = a.optional(parts, "time to connect", func(r *run.Record) *run.Latency { return r.Connect })
	m.FirstByte = a.optional(parts, "time to the first byte", func(r *run.Record) *run.Latency { return r.FirstByte })
	if m.AnswerTime > 0 {
		m.Throughput = m.SuccessRatio * float64(m.Requests+m.Unsent) / m.AnswerTime
	}
	withoutLag := a.latency(parts, "latency without the generators' lag", func(r *run.Record) *run.Latency { return &r.Generator.WithoutLag }, false)
	m.Errors = errorClasses(parts)
	m.Slowest = slowest(parts)
	m.Events = events(parts)
	m.Routes = a.routes(parts)
	m.Series = a.series(parts)
	m.Groups = a.groups(parts)
	if a.err != nil {
		return nil, a.err
	}
	var why string
	m.Reconciliation, why = reconciliation(parts)
	m.Generator, m.ScheduleLag, m.Servers = usage(parts, m.Requests)
	m.Generator.WithoutLag = withoutLag
	m.Load = load(parts)
	m.Session, m.WS = session(parts), webSocket(parts)
	m.Warnings = warnings(m.Parts, parts)
	if why != "" {
		m.Warnings = append(m.Warnings, why)
	}
	return m, nil
}

// addUp adds what simply adds up.
func addUp(m, r *run.Record) {
	part := *r.Part
	part.Run, part.Started = r.ID, r.Started
	m.Parts = append(m.Parts, part)
	if began := part.Began(); m.Started.IsZero() || began.Before(m.Started) {
		m.Started = began
	}
	m.Duration = max(m.Duration, r.Duration)
	m.Partial = m.Partial || r.Partial
	m.RequestedRate += r.RequestedRate
	m.ActualRate += r.ActualRate
	m.Requests += r.Requests
	m.Responses += r.Responses
	m.Unsent += r.Unsent
	m.Missing += r.Missing
	m.AnswerTime = max(m.AnswerTime, r.AnswerTime)
	m.BytesReceived += r.BytesReceived
	m.BytesSent += r.BytesSent
	m.Opened += r.Opened
	m.Unattributed += r.Unattributed
	addCounts(m.Status, r.Status)
}

func addCounts[K comparable](sum, more map[K]int64) {
	for key, n := range more {
		sum[key] += n
	}
}

// weighted is the mean of a figure over the parts.
func weighted(parts []*run.Record, of func(*run.Record) (v float64, weight int64)) float64 {
	var sum, weights float64
	for _, r := range parts {
		v, w := of(r)
		sum, weights = sum+v*float64(w), weights+float64(w)
	}
	if weights == 0 {
		return 0
	}
	return min(sum/weights, 1)
}

func errorClasses(parts []*run.Record) []run.ErrorCount {
	sums := map[string]int64{}
	for _, r := range parts {
		for _, e := range r.Errors {
			sums[e.Class] += e.Count
		}
	}
	out := []run.ErrorCount{}
	for class, n := range sums {
		out = append(out, run.ErrorCount{Class: class, Count: n})
	}
	slices.SortFunc(out, func(a, b run.ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
	return out
}

// slowest keeps as many as the part that has the most.
func slowest(parts []*run.Record) []run.Outlier {
	var all []run.Outlier
	most := 0
	for _, r := range parts {
		all, most = append(all, r.Slowest...), max(most, len(r.Slowest))
	}
	slices.SortFunc(all, func(a, b run.Outlier) int { return cmp.Compare(b.Latency, a.Latency) })
	return all[:most]
}

// sameEvent is how far apart, in seconds, two parts may see the same thing happen.
const sameEvent = 1.0

// events are what the parts saw, each thing once.
func events(parts []*run.Record) []run.Event {
	var out []run.Event
	for _, r := range parts {
		for _, e := range r.Events {
			same := slices.IndexFunc(out, func(o run.Event) bool {
				return o.Addr == e.Addr && o.Text == e.Text && max(o.T-e.T, e.T-o.T) < sameEvent
			})
			if same < 0 {
				out = append(out, e)
				continue
			}
			out[same].Retried += e.Retried
			out[same].Failed += e.Failed
			out[same].UnderWay += e.UnderWay
		}
	}
	slices.SortStableFunc(out, func(a, b run.Event) int { return cmp.Compare(a.T, b.T) })
	return out
}

// usage adds what the generators cost. Lag is that of the part that was furthest behind. The servers are the same for all
// parts and are not added.
func usage(parts []*run.Record, requests int64) (run.Generator, run.Lag, *run.Servers) {
	var g run.Generator
	var lag run.Lag
	var servers *run.Servers
	due := 0.0
	for _, r := range parts {
		g.CPU += r.Generator.CPU
		g.MaxRSS += r.Generator.MaxRSS
		if r.Generator.SendRatio > 0 {
			due += float64(r.Requests) / r.Generator.SendRatio
		} else {
			due += float64(r.Requests + r.Unsent)
		}
		lag = later(lag, r.ScheduleLag)
		g.Lag = later(g.Lag, r.Generator.Lag)
		g.Grid = max(g.Grid, r.Generator.Grid)
		if s := r.Servers; s != nil && (servers == nil || s.CPU > servers.CPU) {
			seen := *s
			servers = &seen
		}
	}
	if due > 0 {
		g.SendRatio = min(float64(requests)/due, 1)
	}
	if servers != nil && requests > 0 {
		servers.CPUPerRequest = servers.CPU / float64(requests)
	}
	return g, lag, servers
}

func later(a, b run.Lag) run.Lag {
	return run.Lag{P50: max(a.P50, b.P50), P99: max(a.P99, b.P99), Max: max(a.Max, b.Max)}
}

// load is how all generators together sent.
func load(parts []*run.Record) run.Load {
	sum := parts[0].Load
	for _, r := range parts[1:] {
		sum.Workers += r.Load.Workers
		sum.Connections += r.Load.Connections
		sum.Users += r.Load.Users
		sum.Clients += r.Load.Clients
		sum.Cores += r.Load.Cores
	}
	return sum
}

func session(parts []*run.Record) *run.Session {
	var sum *run.Session
	for _, r := range parts {
		if s := r.Session; s != nil {
			if sum == nil {
				sum = &run.Session{}
			}
			sum.Users += s.Users
			sum.Requests += s.Requests
			sum.Breaks += s.Breaks
		}
	}
	return sum
}

// webSocket adds deliveries; their latency for each upstream has no histogram and is left out.
func webSocket(parts []*run.Record) *run.WS {
	var sum *run.WS
	for _, r := range parts {
		if s := r.WS; s != nil {
			if sum == nil {
				sum = &run.WS{Upstreams: []run.WSUpstream{}}
			}
			sum.Clients += s.Clients
			sum.Sent += s.Sent
			sum.Delivered += s.Delivered
			sum.Lost += s.Lost
			sum.Doubled += s.Doubled
			sum.OutOfOrder += s.OutOfOrder
		}
	}
	return sum
}
