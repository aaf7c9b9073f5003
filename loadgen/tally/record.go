package tally

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"balanceo/results/run"
)

// Route names a route in the record: method and path without the query.
type Route struct{ Method, Path string }

// Evidence is what a tally knows of a group beyond what the record tells: what may move its shares.
type Evidence struct {
	NoLive   int64 // answers that nginx gave itself, as no server of the group was live
	Unsigned int64 // answers that don't say who gave them, on routes of the group
	Lost     int64 // requests that were sent and got no answer, so that who worked on them is unknown
	// Stragglers are, by the address that answered, requests of the warm-up that were still under way when
	// the measured part began.
	Stragglers map[string]int64

	Timelines map[string]*Timeline // by address
	// Connections are those of the load generator, by the address that answered what came over them, and Wandered how
	// many had answers of several. None are known where each request had its own.
	Connections map[string]Connections
	Wandered    int64

	// Chains counts requests that went through several servers, by X-Upstream.
	Chains map[string]int64

	Names map[string][]string // by address: what its answers said in X-Instance, the first few

	FailedBefore map[string]int64   // by address: attempts that failed there during the warm-up
	ByRoute      map[string][]int64 // by address: requests of each route, by the route's index
}

// Fill writes into r what was counted: requests, status, errors, latency, lag, groups, routes and series.
// Groups have their counts and names from the headers; what nginx.conf says of them is for package
// distribution. Routes of the same method and path become one. Measured is how long the measured part
// lasted.
func (t *Tally) Fill(r *run.Record, routes []Route, measured time.Duration) error {
	r.Requests, r.Responses = t.requests, t.responses
	r.SuccessRatio = ratio(t.successes, t.requests)
	r.Status = map[string]int64{}
	for code, n := range t.status {
		if n > 0 && code > 0 {
			r.Status[strconv.Itoa(code)] = n
		}
	}
	t.recordErrors(r)
	r.ScheduleLag = t.lag.Lag()
	r.Generator.Lag = t.own.Lag()
	r.Unattributed = t.unsigned.Total
	r.BytesReceived, r.BytesSent = t.in, t.out
	r.Opened = t.connect.Count()
	r.Slowest = t.slowest.record(routes)
	r.AnswerTime = max(t.answerTime(), measured).Seconds()
	if r.AnswerTime > 0 {
		r.Throughput = float64(t.successes) / r.AnswerTime
	}

	var all Histogram
	for i := range t.routes {
		all.Merge(&t.routes[i].latency)
	}
	keep := r.Part != nil // parts are added later, histogram by histogram
	var err error
	if r.Latency, err = all.LatencyHDR(); err != nil {
		return err
	}
	without := &t.without
	if 2*t.calm.Count() >= t.without.Count() { // else pauses are what there is
		without = &t.calm
	}
	r.Generator.WithoutLag = without.Latency()
	if keep {
		if r.Generator.WithoutLag, err = without.LatencyHDR(); err != nil {
			return err
		}
	}
	if r.Series, err = t.series.record(keep); err != nil {
		return err
	}
	if r.Groups, err = t.recordGroups(keep); err != nil {
		return err
	}
	for _, d := range []struct {
		to   **run.Latency
		from *Histogram
	}{{&r.Connect, &t.connect}, {&r.FirstByte, &t.firstByte}, {&r.Failures, &t.failures}} {
		if *d.to, err = d.from.optional(keep); err != nil {
			return err
		}
	}
	r.Routes, err = t.recordRoutes(routes, r.AnswerTime)
	return err
}

// recordErrors writes the classes of failures, the most frequent first, and how many of them have no latency.
func (t *Tally) recordErrors(r *run.Record) {
	r.Errors = []run.ErrorCount{}
	for class, n := range t.errors {
		if n > 0 && Class(class) != NoError {
			r.Errors = append(r.Errors, run.ErrorCount{Class: Class(class).String(), Count: n})
		}
		if Class(class).unbounded() {
			r.Missing += n
		}
	}
	slices.SortFunc(r.Errors, func(a, b run.ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
}

// answerTime is the time from the warm-up's end in which the answers came, but for the last hundredth of them: a
// single slow one says nothing of how fast they came. 0: no more than a hundredth came after the end.
func (t *Tally) answerTime() time.Duration {
	left := t.responses / 100
	late := t.overtime.Count()
	if late <= left {
		return 0
	}
	in := 1 - float64(left)/float64(t.responses)
	return time.Duration(float64(t.overtime.At(100*(1-float64(left)/float64(late)))) / in)
}

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func (t *Tally) recordGroups(keep bool) ([]run.Group, error) {
	out := []run.Group{}
	for _, name := range slices.Sorted(maps.Keys(t.groups)) {
		g := run.Group{Name: name, Verdict: run.Info, Upstreams: []run.Upstream{}}
		for _, u := range t.groups[name].upstreams {
			g.Requests += u.requests
		}
		for _, addr := range slices.Sorted(maps.Keys(t.groups[name].upstreams)) {
			u := t.groups[name].upstreams[addr]
			shown, err := u.record(addr, g.Requests)
			if err != nil {
				return nil, err
			}
			if shown.Series, err = u.series.seconds(&t.series, keep); err != nil {
				return nil, err
			}
			if !keep {
				shown.Latency.HDR = ""
			}
			g.Upstreams = append(g.Upstreams, shown)
		}
		if g.Requests > 0 || t.groups[name].noLive > 0 {
			out = append(out, g)
		}
	}
	return out, nil
}

func (u *upstream) record(addr string, groupRequests int64) (run.Upstream, error) {
	latency, err := u.latency.LatencyHDR()
	if err != nil {
		return run.Upstream{}, err
	}
	out := run.Upstream{
		Addr: addr, Instance: u.instance,
		Requests: u.requests, Share: ratio(u.requests, groupRequests), RetriedAway: u.retriedAway,
		SuccessRatio: ratio(u.successes, u.requests), Latency: latency,
		Workers: []run.Worker{},
	}
	for _, pid := range slices.Sorted(maps.Keys(u.workers)) {
		if n := *u.workers[pid]; n > 0 {
			out.Workers = append(out.Workers, run.Worker{PID: pid, Requests: n})
		}
	}
	return out, nil
}

func (t *Tally) recordRoutes(routes []Route, seconds float64) ([]run.Route, error) {
	merged := map[Route]*route{}
	for i := range t.routes {
		if t.routes[i].requests == 0 || i >= len(routes) {
			continue
		}
		if merged[routes[i]] == nil {
			merged[routes[i]] = &route{}
		}
		merged[routes[i]].merge(&t.routes[i])
	}
	keys := slices.SortedFunc(maps.Keys(merged), func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	out := []run.Route{}
	for _, key := range keys {
		m := merged[key]
		r := run.Route{Method: key.Method, Path: key.Path, Requests: m.requests}
		if seconds > 0 {
			r.Throughput = float64(m.successes) / seconds
			if m.drawing {
				draws := float64(m.draws) / seconds
				r.Draws = &draws
			}
		}
		var err error
		if r.Latency, err = m.latency.LatencyHDR(); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Evidence tells for each group what may have moved its shares. Requests that were lost on a route none of
// whose answers named its group count for every group.
func (t *Tally) Evidence() map[string]Evidence {
	lost, unsigned := map[string]int64{}, map[string]int64{}
	var unknown, nobody int64
	for i := range t.routes {
		if t.routes[i].group == "" {
			unknown += t.routes[i].lost
			nobody += t.routes[i].unsigned
		} else {
			lost[t.routes[i].group] += t.routes[i].lost
			unsigned[t.routes[i].group] += t.routes[i].unsigned
		}
	}
	out := map[string]Evidence{}
	for name, g := range t.groups {
		e := Evidence{
			NoLive: g.noLive, Lost: lost[name] + unknown, Unsigned: unsigned[name] + nobody,
			Stragglers: map[string]int64{}, FailedBefore: map[string]int64{}, ByRoute: map[string][]int64{},
			Timelines: map[string]*Timeline{}, Names: map[string][]string{}, Chains: maps.Clone(g.chains),
		}
		for addr, u := range g.upstreams {
			if u.stragglers > 0 {
				e.Stragglers[addr] = u.stragglers
			}
			if u.failedBefore > 0 {
				e.FailedBefore[addr] = u.failedBefore
			}
			e.ByRoute[addr] = slices.Clone(u.byRoute)
			e.Timelines[addr] = &u.time
			if len(u.names) > 0 {
				e.Names[addr] = u.names
			}
		}
		e.Connections, e.Wandered = g.connections()
		out[name] = e
	}
	return out
}

// Counts are the sums that reconciliation needs.
type Counts struct {
	Requests, Responses int64 // of the measured part
	Lost                int64 // of the measured part: sent, and no answer came
	Warmup              int64 // hits of the warm-up
	IDs                 *IDs  // of the measured part
}

// Counts returns the sums so far.
func (t *Tally) Counts() Counts {
	c := Counts{Requests: t.requests, Responses: t.responses, Warmup: t.warmed, IDs: &t.ids}
	for i := range t.routes {
		c.Lost += t.routes[i].lost
	}
	return c
}
