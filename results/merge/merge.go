// Package merge adds the records of several generators, each of which sent a part of one schedule, to the record of one
// run. Counts, histograms, series, shares and reconciliation are added; what can't be added is left out or told.
package merge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
		Schema: run.Schema, Started: first.Started, Layout: first.Layout, Label: first.Label, Scenario: first.Scenario,
		Target: first.Target, Pace: first.Pace, Warmup: first.Warmup, Env: first.Env, Command: command(first.Command),
		Status: map[string]int64{},
	}
	for _, r := range parts {
		part := *r.Part
		part.Run, part.Started = r.ID, r.Started
		m.Parts = append(m.Parts, part)
		if r.Started.Before(m.Started) {
			m.Started = r.Started
		}
		m.Duration = max(m.Duration, r.Duration)
		m.Partial = m.Partial || r.Partial
		m.RequestedRate += r.RequestedRate
		m.ActualRate += r.ActualRate
		m.Requests += r.Requests
		m.Responses += r.Responses
		m.Unsent += r.Unsent
		m.BytesReceived += r.BytesReceived
		m.BytesSent += r.BytesSent
		addCounts(m.Status, r.Status)
	}
	m.ID = run.NewID(m.Started)
	m.SuccessRatio = weighted(parts, func(r *run.Record) (float64, int64) { return r.SuccessRatio, r.Requests + r.Unsent })
	a := adder{}
	m.Latency = a.latency(parts, "latency of the run", func(r *run.Record) *run.Latency { return &r.Latency }, true)
	if slices.ContainsFunc(parts, func(r *run.Record) bool { return r.Failures != nil }) {
		failures := a.latency(parts, "latency of the failures", func(r *run.Record) *run.Latency { return r.Failures }, true)
		m.Failures = &failures
	}
	m.Errors = errorClasses(parts)
	m.Slowest = slowest(parts)
	m.Events = events(parts)
	m.Routes = a.routes(parts)
	m.Series = a.series(parts)
	m.Groups = a.groups(parts)
	if a.err != nil {
		return nil, a.err
	}
	m.Reconciliation = reconciliation(parts)
	m.Generator, m.ScheduleLag, m.Servers = usage(parts, m.Requests)
	m.Session, m.WS = session(parts), webSocket(parts)
	m.Warnings = warnings(parts)
	return m, nil
}

// together puts the parts in their order, or says why they are none of one whole.
func together(parts []*run.Record) ([]*run.Record, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("no parts")
	}
	for _, r := range parts {
		switch {
		case r.Part == nil:
			return nil, fmt.Errorf("run %q is not a part: it was not measured with -part", r.ID)
		case r.Search != nil:
			return nil, fmt.Errorf("run %q is a search for the highest rate, which has no parts", r.ID)
		}
	}
	first := parts[0]
	var missing []string
	for number := 1; number <= first.Part.Of; number++ {
		if !slices.ContainsFunc(parts, func(r *run.Record) bool { return r.Part.Number == number }) {
			missing = append(missing, fmt.Sprint(number))
		}
	}
	for i, r := range parts {
		for _, d := range []struct {
			name      string
			one, this any
		}{
			{"the number of parts", first.Part.Of, r.Part.Of},
			{"the time at which they were to begin", first.Part.StartAt.UTC(), r.Part.StartAt.UTC()},
			{"the scenario", first.Scenario, r.Scenario},
			{"the pace", cmp.Or(first.Pace, "constant"), cmp.Or(r.Pace, "constant")},
			{"the warm-up", first.Warmup, r.Warmup},
			{"the layout", first.Layout, r.Layout},
			{"the label", first.Label, r.Label},
			{"the target", first.Target, r.Target},
		} {
			if d.one != d.this {
				return nil, fmt.Errorf("runs %q and %q don't belong together: %s is %v and %v", first.ID, r.ID, d.name, d.one, d.this)
			}
		}
		for _, other := range parts[:i] {
			if other.Part.Number == r.Part.Number {
				return nil, fmt.Errorf("part %d of %d is there twice: runs %q and %q", r.Part.Number, r.Part.Of, other.ID, r.ID)
			}
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("of %d parts some are missing: %s", first.Part.Of, strings.Join(missing, ", "))
	}
	return slices.SortedFunc(slices.Values(parts), func(a, b *run.Record) int { return cmp.Compare(a.Part.Number, b.Part.Number) }), nil
}

// command is what repeats the whole load from one generator.
func command(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if strings.HasPrefix(args[i], "-") && (name == "part" || name == "start-at") {
			if !joined {
				i++ // its value
			}
			continue
		}
		out = append(out, args[i])
	}
	return out
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
			seen := slices.ContainsFunc(out, func(o run.Event) bool {
				return o.Addr == e.Addr && o.Text == e.Text && max(o.T-e.T, e.T-o.T) < sameEvent
			})
			if !seen {
				out = append(out, e)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b run.Event) int { return cmp.Compare(a.T, b.T) })
	return out
}

// warnings tells of the clocks first, then what the parts warned of.
func warnings(parts []*run.Record) []string {
	var out []string
	if text := clocks(parts); text != "" {
		out = append(out, text)
	}
	said := map[string][]string{}
	var order []string
	for _, r := range parts {
		if len(r.Asserts) > 0 && !slices.Contains(out, notAsserted) {
			out = append(out, notAsserted)
		}
		for _, w := range r.Warnings {
			if said[w] == nil {
				order = append(order, w)
			}
			said[w] = append(said[w], fmt.Sprint(r.Part.Number))
		}
	}
	for _, w := range order {
		name := "Part "
		if len(said[w]) > 1 {
			name = "Parts "
		}
		out = append(out, name+strings.Join(said[w], ", ")+": "+w)
	}
	return out
}

const notAsserted = "The parts' assertions are of the parts, and nothing is asserted of the sum."

// clocks says how far the parts were apart and what that does to the sum; empty where it does nothing.
func clocks(parts []*run.Record) string {
	low, high := parts[0].Started, parts[0].Started
	known := true
	for _, r := range parts {
		known = known && r.Part.ClockOffset != nil
	}
	for i, r := range parts {
		started := r.Started
		if known {
			started = started.Add(-time.Duration(*r.Part.ClockOffset * float64(time.Second)))
		}
		if i == 0 || started.Before(low) {
			low = started
		}
		if i == 0 || started.After(high) {
			high = started
		}
	}
	apart := high.Sub(low)
	switch {
	case !known:
		return fmt.Sprintf("The parts began within %v of each other by their own clocks; how far these are apart is not known. "+
			"Counts and latencies are right nevertheless; the sums of a second may mix neighbouring ones.", apart.Round(time.Millisecond))
	case apart >= time.Second/10:
		return fmt.Sprintf("The parts began %v apart: so much of the load's beginning and end had fewer generators, "+
			"and the sums of a second mix neighbouring ones. Counts and latencies are right.", apart.Round(time.Millisecond))
	}
	return ""
}

// reconciliation adds the parts' counts. What is foreign to a part is in part what the others sent.
func reconciliation(parts []*run.Record) run.Reconciliation {
	sum := run.Reconciliation{Nginx: new(int64), Servers: new(int64), Attributed: map[string]int64{}}
	for _, r := range parts {
		c := &r.Reconciliation
		sum.Client += c.Client
		sum.Unexplained += c.Unexplained
		sum.Nginx, sum.Servers = plus(sum.Nginx, c.Nginx), plus(sum.Servers, c.Servers)
		addCounts(sum.Attributed, c.Attributed)
	}
	const foreign = "foreign"
	delete(sum.Attributed, foreign)
	if sum.Nginx != nil {
		for _, r := range parts {
			others := *sum.Nginx - *r.Reconciliation.Nginx
			if left := r.Reconciliation.Attributed[foreign] - others; left > sum.Attributed[foreign] {
				sum.Attributed[foreign] = left
			}
		}
	}
	maps.DeleteFunc(sum.Attributed, func(_ string, n int64) bool { return n == 0 })
	return sum
}

// plus adds counts; what is unknown makes the sum unknown.
func plus(a, b *int64) *int64 {
	if a == nil || b == nil {
		return nil
	}
	sum := *a + *b
	return &sum
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
		}
		lag.P50, lag.P99, lag.Max = max(lag.P50, r.ScheduleLag.P50), max(lag.P99, r.ScheduleLag.P99), max(lag.Max, r.ScheduleLag.Max)
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
