package ui

import (
	"math"
	"slices"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// What is judged is a stretch of requests by when they came in, which is the order in which the balancer chose, up to
// a millisecond or two. It begins a moment after the last change in who shares the load and how, because a balancer
// that reads its configuration anew begins its sequence anew, and ends where all requests that came in before have
// surely been logged.
const (
	settle = 1000 // milliseconds after a change
	slot   = 100  // milliseconds; stretches begin and end at multiples of it
	blur   = 3    // milliseconds around an end of a stretch within which the order is not sure
)

// verdict is the judgement of one group.
type verdict struct {
	Group string `json:"group"`
	// State is pass, fail, info (nothing is promised), wait (too early) or out (a server is missing).
	State    string   `json:"state"`
	Method   string   `json:"method"`
	Weights  []int    `json:"weights"`
	Since    int64    `json:"since"`             // Unix milliseconds
	Requests int64    `json:"n"`                 // in the stretch
	Apart    int64    `json:"apart"`             // requests by which the worst server is farther off than the promise allows
	Worst    float64  `json:"worst"`             // in requests, or for chance the statistic
	Bound    float64  `json:"bound"`             // of it
	Farthest string   `json:"farthest"`          // the server that refused most, else the one that is the farthest off its share, by address
	Off      float64  `json:"off"`               // by how many requests; above 0: it got more
	Failed   int64    `json:"failed"`            // requests in the stretch without a good answer
	Retried  int64    `json:"retried"`           // attempts in the stretch that went on to another server
	Out      []string `json:"out,omitempty"`     // servers that are missing
	Reasons  []string `json:"reasons,omitempty"` // of the code that judged, in English
}

// stretch is what is known of one group's requests since a change.
type stretch struct {
	since  int64           // Unix milliseconds, a multiple of slot
	slots  map[int64]*tick // by their beginning; not yet part of total
	total  tick
	until  int64 // total goes up to here
	border int64 // requests around since
}

// tick is what came in during a slot.
type tick struct {
	counts, retried map[string]int64
	edge            int64 // requests within blur of its beginning
	failed, none    int64
}

func newTick() tick { return tick{counts: map[string]int64{}, retried: map[string]int64{}} }

func (t *tick) add(r *request) {
	for i := range r.attempts {
		if i < len(r.attempts)-1 {
			t.retried[r.attempts[i].addr]++
		}
	}
	if r.failed() {
		t.failed++
	}
	// An answer that the balancer gave itself was nevertheless the turn of the server that it had tried last.
	if len(r.attempts) > 0 {
		t.counts[r.attempts[len(r.attempts)-1].addr]++
	} else {
		t.none++
	}
}

func (t *tick) merge(o *tick) {
	for a, n := range o.counts {
		t.counts[a] += n
	}
	for a, n := range o.retried {
		t.retried[a] += n
	}
	t.failed += o.failed
	t.none += o.none
}

// judge keeps a stretch for each group.
type judge struct {
	instances []layout.Instance
	groups    map[string]*stretch
	begun     int64 // when counting began, in Unix milliseconds
	slowest   int64 // of the latest requests, in milliseconds, websockets excepted
	slowAt    int64
}

func newJudge(instances []layout.Instance, now time.Time) *judge {
	return &judge{instances: instances, groups: map[string]*stretch{}, begun: now.UnixMilli() + settle}
}

// longest is how long a request may take and still be waited for.
const longest = 30_000

func (j *judge) stretch(group string) *stretch {
	s := j.groups[group]
	if s == nil {
		s = newStretch(j.begun)
		j.groups[group] = s
	}
	return s
}

func newStretch(since int64) *stretch {
	since = (since + slot - 1) / slot * slot
	return &stretch{since: since, until: since, slots: map[int64]*tick{}, total: newTick()}
}

// changed begins a new stretch for a group.
func (j *judge) changed(group string, at time.Time) {
	if since := at.UnixMilli() + settle; since > j.stretch(group).since {
		j.groups[group] = newStretch(since)
	}
}

func (j *judge) add(r *request) {
	if r.status != 101 && r.took <= longest && (r.took > j.slowest || r.ended > j.slowAt+longest) {
		j.slowest, j.slowAt = r.took, r.ended
	}
	s := j.stretch(r.group)
	began := r.began()
	if began >= s.since-blur && began < s.since+blur {
		s.border++
	}
	if began < s.since {
		return
	}
	if edge := (began + blur) / slot * slot; edge > began-blur {
		s.slot(edge).edge++
	}
	if began < s.until { // it took longer than was waited for
		s.total.add(r)
		return
	}
	s.slot(began / slot * slot).add(r)
}

func (s *stretch) slot(at int64) *tick {
	t := s.slots[at]
	if t == nil {
		made := newTick()
		t = &made
		s.slots[at] = t
	}
	return t
}

// advance takes in what is complete of every group, so that what is kept does not grow.
func (j *judge) advance(complete int64) {
	for _, s := range j.groups {
		s.advance(complete - j.slowest - slot)
	}
}

// advance takes in what is complete, and returns the requests around the end of that.
func (s *stretch) advance(until int64) (edge int64) {
	until = until / slot * slot
	for at, t := range s.slots {
		if at < until {
			s.total.merge(t)
			delete(s.slots, at)
		}
	}
	s.until = max(s.until, until)
	if t := s.slots[s.until]; t != nil {
		edge = t.edge
	}
	return edge
}

// verdict judges a group. complete is up to when the log is, out are its members that are missing, and unlogged is how
// many requests servers may have got that are not in the log yet, as open websockets are.
func (j *judge) verdict(conf *balancer.Config, g *balancer.Group, complete int64, out []string, unlogged int64) verdict {
	s := j.stretch(g.Name)
	edge := s.advance(complete - j.slowest - slot)
	v := verdict{Group: g.Name, Method: string(g.Method), Since: s.since, Out: out, Failed: s.total.failed}
	for _, a := range g.Args {
		v.Method += " " + a
	}
	in := run.Group{Name: g.Name}
	for _, server := range g.Servers {
		v.Weights = append(v.Weights, server.Weight)
		v.Retried += s.total.retried[server.Addr]
	}
	for addr, n := range s.total.counts {
		in.Requests += n
		in.Upstreams = append(in.Upstreams, run.Upstream{Addr: addr, Requests: n, RetriedAway: s.total.retried[addr]})
	}
	v.Requests = in.Requests
	groups := []run.Group{in}
	distribution.Explain(groups, distribution.Input{
		Balancer: conf, Instances: j.instances, LogRead: true,
		Evidence: map[string]tally.Evidence{g.Name: {NoLive: s.total.none}},
		Foreign:  map[string]distribution.Foreign{g.Name: {Border: s.border + edge + unlogged}},
	})
	in = groups[0]
	v.Worst, v.Bound, v.Reasons = in.WorstDeviation, in.Bound, in.Reasons
	most := int64(0) // attempts refused: who refuses is who moves the shares, not who answers instead
	for _, u := range in.Upstreams {
		off := float64(u.Requests) - u.ExpectedShare*float64(in.Requests)
		if u.RetriedAway > most || most == 0 && math.Abs(off) > math.Abs(v.Off) {
			most, v.Off, v.Farthest = u.RetriedAway, off, u.Addr
		}
	}
	switch {
	case len(out) > 0:
		v.State = "out"
	case in.Requests == 0 && s.total.none == 0:
		v.State = "wait"
	default:
		v.State = string(in.Verdict)
	}
	if v.State == string(run.Fail) && g.Promise != nil && g.Promise.Kind == balancer.Exact {
		v.Apart = max(1, int64(math.Ceil(v.Worst-v.Bound)))
	}
	return v
}

// groupsOf names the groups in which a server has its place.
func groupsOf(conf *balancer.Config, addr string) []string {
	var out []string
	for _, g := range conf.Groups {
		if slices.ContainsFunc(g.Servers, func(s balancer.Server) bool { return s.Addr == addr }) {
			out = append(out, g.Name)
		}
	}
	return out
}
