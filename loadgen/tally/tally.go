package tally

import (
	"time"
)

// Bounds on what a Tally remembers, so that its memory depends neither on how long the attack lasts nor on
// what a server puts into its headers. What comes after is counted under Rest.
const (
	maxAnswers = 4096 // combinations of group, upstream, instance and worker
	maxWorkers = 512  // processes behind one upstream
	maxNames   = 4    // of one upstream
)

// Rest is the name under which everything beyond a bound is counted.
const Rest = "(rest)"

// Config says what a Tally counts.
type Config struct {
	Warmup time.Duration // hits that were due earlier are no part of the result
	End    time.Duration // of the sending; 0: not known
	Routes int           // how many routes there are; Hit.Route lies below it
}

// Tally is the count of one goroutine's hits. It is not safe for concurrent use.
type Tally struct {
	cfg Config

	requests, responses, successes int64

	status  [1000]int64 // by code, which has three digits; 0: no answer
	errors  [classes]int64
	in, out int64 // bytes of bodies

	failures  Histogram // latency of requests that failed; that of the others is counted by route
	lag       Histogram // of the sending behind the schedule
	own       Histogram // what the generator added to the latency
	without   Histogram // latency less that
	calm      Histogram // the same, but for hits that are Mixed
	connect   Histogram
	firstByte Histogram
	overtime  Histogram // when answers came that came after the end
	routes    []route
	answers   map[origin]*answer
	groups    map[string]*group
	series    series
	slowest   slowest

	unsigned Unsigned

	warmed int64 // hits of the warm-up
	ids    IDs
}

// answer is what is counted for one origin; it points to where its hits are added, so that adding one
// needs a single look-up and no allocation.
type answer struct {
	group    *group
	upstream *upstream   // that answered; nil: nginx itself did, as no server was live
	worker   *int64      // nil: no X-Worker
	failed   []*upstream // that were tried before
	tried    string      // all of them, as in X-Upstream
}

type group struct {
	upstreams map[string]*upstream
	noLive    int64 // answered by nginx itself, as no server was live
	carriers  map[uint64]*carrier
	chains    map[string]int64 // by X-Upstream: requests that went through several servers
}

type upstream struct {
	addr        string
	instance    string
	names       []string // that its answers had as X-Instance, the first few
	requests    int64
	successes   int64
	retriedAway int64
	latency     Histogram
	series      series
	workers     map[int]*int64
	byRoute     []int64 // requests, by route

	time         Timeline
	stragglers   int64 // hits of the warm-up that were still under way when the measured part began
	failedBefore int64 // attempts of the warm-up that failed here and went on to another server
}

type route struct {
	group     string // that answered last
	requests  int64
	successes int64
	draws     int64
	drawing   bool
	unsigned  int64 // answered, and the answer does not say by whom
	lost      int64 // sent, and no answer came, so that who worked on it is not known
	latency   Histogram
}

// New makes an empty Tally.
func New(cfg Config) *Tally {
	return &Tally{
		cfg:     cfg,
		routes:  make([]route, max(cfg.Routes, 1)),
		answers: map[origin]*answer{},
		groups:  map[string]*group{},
	}
}

// Add counts one hit.
func (t *Tally) Add(h *Hit) {
	a := t.answer(h)
	if a != nil {
		a.place(h)
	}
	if h.Due < t.cfg.Warmup {
		t.warmed++
		if a != nil {
			a.warm(h.Done > t.cfg.Warmup)
		}
		return
	}
	t.ids.add(h)
	latency := h.Done - h.Due
	ok := h.OK()
	t.requests++
	t.status[min(max(h.Status, 0), len(t.status)-1)]++
	if h.Status != 0 {
		t.responses++
	}
	if ok {
		t.successes++
	}
	t.errors[h.Err]++
	t.in += h.BytesIn
	t.out += h.BytesOut
	t.addTimes(h, latency, ok)
	t.series.add(h.Due-t.cfg.Warmup, latency, !ok)
	t.slowest.add(h, t.cfg.Warmup)
	t.addRoute(h, a, latency, ok)
	if a != nil {
		a.group.carry(h, a.upstream)
		a.add(h.Route, h.Due-t.cfg.Warmup, latency, ok)
	}
}

// addTimes counts how long the parts of a hit took.
func (t *Tally) addTimes(h *Hit, latency time.Duration, ok bool) {
	if h.Sent != h.Due { // else it has no schedule to be behind
		t.lag.Add(h.Sent - h.Due)
	}
	if h.Connect > 0 {
		t.connect.Add(h.Connect)
	}
	if h.FirstByte > 0 {
		t.firstByte.Add(h.FirstByte)
	}
	if h.Status != 0 && t.cfg.End > 0 && h.Done > t.cfg.End {
		t.overtime.Add(h.Done - t.cfg.Warmup)
	}
	if !ok {
		t.failures.Add(latency)
		return
	}
	t.own.Add(h.Lag)
	t.without.Add(latency - h.Lag)
	if !h.Mixed {
		t.calm.Add(latency - h.Lag)
	}
}

// warm counts what a hit of the warm-up leaves behind for the measured part.
func (a *answer) warm(straggler bool) {
	for _, u := range a.failed {
		u.failedBefore++
	}
	if straggler && a.upstream != nil {
		a.upstream.stragglers++
	}
}

func (t *Tally) addRoute(h *Hit, a *answer, latency time.Duration, ok bool) {
	r := &t.routes[min(max(h.Route, 0), len(t.routes)-1)]
	r.requests++
	r.drawing = r.drawing || h.Draws > 0
	if ok {
		r.latency.Add(latency)
		r.successes++
		r.draws += h.Draws
	}
	switch {
	case a != nil:
		r.group = h.Group
	case h.Status != 0:
		r.unsigned++
		t.unsigned.add(h)
	case h.Err.Reached():
		r.lost++
	}
}

func (a *answer) add(route int, due, latency time.Duration, ok bool) {
	for _, u := range a.failed {
		u.retriedAway++
		u.series.at(due).retries++
	}
	if a.upstream == nil {
		a.group.noLive++
		return
	}
	if len(a.failed) > 0 {
		a.group.chains[a.tried]++
	}
	a.upstream.requests++
	a.upstream.series.add(due, latency, !ok)
	a.upstream.byRoute[min(max(route, 0), len(a.upstream.byRoute)-1)]++
	if ok {
		a.upstream.latency.Add(latency)
		a.upstream.successes++
	}
	if a.worker != nil {
		*a.worker++
	}
}

func (t *Tally) group(name string) *group {
	g := t.groups[name]
	if g == nil {
		g = &group{upstreams: map[string]*upstream{}, chains: map[string]int64{}}
		t.groups[name] = g
	}
	return g
}

func (t *Tally) upstream(g *group, addr string) *upstream {
	u := g.upstreams[addr]
	if u == nil {
		u = &upstream{addr: addr, workers: map[int]*int64{}, byRoute: make([]int64, len(t.routes))}
		g.upstreams[addr] = u
	}
	return u
}

// worker is where pid's requests are counted; 0 stands for the rest.
func (u *upstream) worker(pid int) *int64 {
	if u.workers[pid] == nil && len(u.workers) >= maxWorkers {
		pid = 0
	}
	if u.workers[pid] == nil {
		u.workers[pid] = new(int64)
	}
	return u.workers[pid]
}
