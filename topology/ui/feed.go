package ui

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/known"
	"balanceo/topology/fleet"
	"balanceo/topology/logs"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

const (
	tickEvery = 250 * time.Millisecond // pages are told what is new
	slowEvery = 4                      // ticks between two updates with what changes slowly
	lookEvery = 8                      // ticks between two looks at the layout's status, which cost more than all else
	shownRate = 45                     // requests a second that move through the picture, on average, at the most
	shownTick = 14                     // and in one tick
	keptMarks = 200
)

// sample is one request that moves through the picture.
type sample struct {
	Ended  int64    `json:"t"` // Unix milliseconds
	Group  string   `json:"g"`
	Via    []string `json:"via"` // the servers that were tried, the last one answered
	Failed bool     `json:"failed,omitempty"`
	Took   int64    `json:"ms"`
}

// agreement sets counts against each other; the differences lie between lo and hi.
type agreement struct {
	Servers *span `json:"servers,omitempty"` // answers that servers have counted and the log has not
	Client  *span `json:"client,omitempty"`  // answers that loadgen has counted and the log has not
}

type span struct {
	Lo int64 `json:"lo"`
	Hi int64 `json:"hi"`
}

// update is what pages are told. The first one that a page gets has everything.
type update struct {
	Complete int64          `json:"complete"` // the log is known up to here, in Unix milliseconds
	Hello    *hello         `json:"hello,omitempty"`
	OneOf    float64        `json:"one_of"` // so many requests are one that moves
	Samples  []sample       `json:"samples,omitempty"`
	Live     map[string]now `json:"live"` // by server
	Rows     []row          `json:"rows,omitempty"`
	Marks    []fleet.Event  `json:"marks,omitempty"`
	Recent   *row           `json:"recent,omitempty"` // the last ten seconds
	Verdicts []verdict      `json:"verdicts,omitempty"`
	Agree    *agreement     `json:"agree,omitempty"`
	Parts    []status.Part  `json:"parts,omitempty"`
	Looked   int64          `json:"looked,omitempty"` // when parts were seen so, in Unix milliseconds
	Groups   []group        `json:"groups,omitempty"`
	Load     *LoadState     `json:"load,omitempty"`
}

// hello is what does not change.
type hello struct {
	Layout   string   `json:"layout"`
	HTTPPort int      `json:"http_port"`
	Balancer string   `json:"balancer"`
	Methods  []string `json:"methods"`
	Lines    int      `json:"max_minutes"`
}

// group is a group of servers, with what is expected of each.
type group struct {
	balancer.Group
	Instances []string  `json:"instances"` // names, in the order of the servers
	Expected  []float64 `json:"expected"`
}

// feed knows what the page shows.
type feed struct {
	cfg     Config
	balance balancer.Balancer
	load    *loader
	hub     hub
	due     atomic.Bool // a look at the layout: something has happened

	mu       sync.Mutex // of what follows
	counts   *counts
	judge    *judge
	compared map[string]*comparison // by server
	client   comparison             // of loadgen's answers
	conf     *balancer.Config
	parts    []status.Part
	looked   int64
	pending  *look // not compared with the log yet
	marks    []fleet.Event
	told     int // marks that pages know
	samples  []sample
	chance   float64 // of a request to be shown
	changed  int64   // when shares last changed, in Unix milliseconds
	recent   *row
	verdicts []verdict
	agree    agreement
}

func newFeed(cfg Config, load *loader) *feed {
	b, err := known.Named(cfg.State.Balancer)
	if err != nil {
		b = known.Balancers()[0]
	}
	conf, err := balancer.Load(cfg.State.Shares)
	if err != nil {
		conf = &balancer.Config{}
	}
	now := time.Now()
	return &feed{
		cfg: cfg, balance: b, load: load, conf: conf, counts: newCounts(), judge: newJudge(cfg.State.Instances, now),
		compared: map[string]*comparison{}, chance: 1, changed: now.UnixMilli(),
	}
}

// run follows the layout until ctx is done or the layout is down.
func (f *feed) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var tasks sync.WaitGroup
	failed := make(chan error, 2)
	tasks.Go(func() {
		if f.conf.AccessLog == "" {
			<-ctx.Done()
			return
		}
		failed <- logs.Follow(ctx, f.read, logs.Source{Name: f.cfg.State.Balancer, Path: f.conf.AccessLog})
	})
	tasks.Go(func() { failed <- f.cfg.Keeper.Events(ctx, 0, f.event) })
	tasks.Go(func() { f.tell(ctx) })
	err := <-failed
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	tasks.Wait()
	f.hub.close()
	return err
}

// read counts a line of the log.
func (f *feed) read(l logs.Line) {
	r, ok := parse(f.balance.LogLine([]byte(l.Text)))
	if !ok {
		return
	}
	at := time.Now().UnixMilli()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.add(&r, at)
	f.judge.add(&r)
	if r.ours {
		f.client.add(r.ended)
	}
	var via []string
	for _, a := range r.attempts {
		via = append(via, a.addr)
		if a.answered {
			f.compare(a.addr).add(r.ended)
		}
	}
	if len(f.samples) < shownTick && rand.Float64() < f.chance {
		f.samples = append(f.samples, sample{Ended: r.ended, Group: r.group, Via: via, Failed: r.failed(), Took: r.took})
	}
}

func (f *feed) compare(addr string) *comparison {
	c := f.compared[addr]
	if c == nil {
		c = &comparison{}
		f.compared[addr] = c
	}
	return c
}

// event remembers what happened and begins new stretches for the groups that it concerns.
func (f *feed) event(e fleet.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark(e)
	f.due.Store(true)
	words := strings.Fields(e.Text)
	named := false
	for _, in := range f.cfg.State.Instances {
		if e.Part == in.Name || e.Kind == fleet.EventAction && slices.Contains(words, in.Name) {
			named = true
			for _, g := range groupsOf(f.conf, addrOf(in.Port)) {
				f.judge.changed(g, e.At)
			}
		}
	}
	if e.Kind == fleet.EventBalancer || e.Kind == fleet.EventAction && !named || e.Part == f.cfg.State.Balancer {
		for _, g := range f.conf.Groups {
			f.judge.changed(g.Name, e.At)
		}
	}
	f.changed = max(f.changed, e.At.UnixMilli())
}

func (f *feed) mark(e fleet.Event) {
	if f.marks = append(f.marks, e); len(f.marks) > keptMarks {
		f.marks = slices.Delete(f.marks, 0, 1)
		f.told = max(0, f.told-1)
	}
}

// note adds what the page itself has done.
func (f *feed) note(text, by string) {
	f.cfg.Log(fmt.Sprintf("%s (by %s)", text, by))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client = comparison{logged: f.client.logged, recent: f.client.recent}
	f.mark(fleet.Event{At: time.Now(), Kind: fleet.EventAction, By: by, Text: text})
}

func addrOf(port int) string { return net.JoinHostPort(fleet.Loopback, strconv.Itoa(port)) }

// tell lets pages know what is new, four times a second, until ctx is done.
func (f *feed) tell(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		watched := f.hub.watched()
		var u update
		if due := f.due.Swap(false); watched && (due || n%lookEvery == 0) {
			f.look(ctx)
		}
		slow := n%slowEvery == 0
		if slow {
			load := f.load.status()
			u.Load = &load
		}
		f.fill(&u, slow)
		if watched {
			f.hub.send(&u)
		}
	}
}

// look asks the layout how it is, and the client.
func (f *feed) look(ctx context.Context) {
	before := time.Now().UnixMilli()
	answered, ran := f.load.ask(ctx)
	after := time.Now().UnixMilli()
	s, err := f.cfg.Keeper.Status(ctx)
	conf, confErr := balancer.Load(f.cfg.State.Shares)
	f.mu.Lock()
	defer f.mu.Unlock()
	if confErr == nil {
		f.conf = conf
	}
	if err == nil {
		f.parts, f.looked = s.Parts, s.At.UnixMilli()
		f.pending = &look{parts: s.Parts, from: after, to: s.At.UnixMilli()}
		if ran {
			f.pending.client, f.pending.clientFrom = &answered, before
		}
	}
}

// look is what servers and client had counted at some moment between from and to, in Unix milliseconds.
type look struct {
	parts      []status.Part
	from, to   int64
	client     *float64 // nil: none runs; asked between clientFrom and from
	clientFrom int64
}

// fill puts into u what is new, and once a second what changes slowly.
func (f *feed) fill(u *update, slow bool) {
	at := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Complete = f.counts.complete(at)
	u.Samples, f.samples = f.samples, nil
	u.Rows = f.counts.close(at)
	u.Marks = slices.Clone(f.marks[f.told:])
	f.told = len(f.marks)
	members := map[string][]string{}
	for _, g := range f.conf.Groups {
		for _, s := range g.Servers {
			members[g.Name] = append(members[g.Name], s.Addr)
		}
	}
	u.Live = f.counts.latest(at, members, f.changed)
	rate := 0.0
	for _, n := range u.Live {
		rate += n.Rate
	}
	f.reconcile(u.Complete)
	if f.chance = 1; rate > shownRate {
		f.chance = shownRate / rate
	}
	u.OneOf = 1 / f.chance
	if !slow {
		return
	}
	end := u.Complete / 1000
	recent := f.counts.between(end-10, end)
	f.recent = &recent
	f.sentence(u.Complete)
	u.Recent, u.Verdicts, u.Agree = f.recent, f.verdicts, &f.agree
	u.Parts, u.Looked, u.Groups = f.parts, f.looked, f.groups()
}

func (f *feed) groups() []group {
	var out []group
	for _, g := range f.conf.Groups {
		o := group{Group: g}
		for _, s := range g.Servers {
			o.Instances = append(o.Instances, f.instance(s.Addr))
			o.Expected = append(o.Expected, g.Share(s.Addr))
		}
		out = append(out, o)
	}
	return out
}

// instance is the name of the instance at addr, else the address.
func (f *feed) instance(addr string) string {
	for _, in := range f.cfg.State.Instances {
		if addrOf(in.Port) == addr {
			return in.Name
		}
	}
	return addr
}

// sentence judges the groups.
func (f *feed) sentence(complete int64) {
	f.verdicts = nil
	for i := range f.conf.Groups {
		g := &f.conf.Groups[i]
		var out []string
		var unlogged int64
		for _, s := range g.Servers {
			for _, p := range f.parts {
				if p.Kind == fleet.Instance && addrOf(p.Port) == s.Addr && p.State != supervise.Ready {
					out = append(out, p.Name)
				}
			}
			if _, hi, ok := f.compare(s.Addr).bounds(); ok {
				unlogged += max(0, hi)
			}
		}
		f.verdicts = append(f.verdicts, f.judge.verdict(f.conf, g, complete, out, unlogged))
	}
}

// reconcile compares the counts of the last look with the log, once that is known up to then.
func (f *feed) reconcile(complete int64) {
	l := f.pending
	if l == nil || l.to+slack > complete {
		return
	}
	f.pending, f.agree = nil, agreement{}
	for _, p := range l.parts {
		if p.Kind != fleet.Instance || p.Requests == nil {
			continue
		}
		c := f.compare(addrOf(p.Port))
		c.look(*p.Requests, l.from, l.to)
		if lo, hi, ok := c.bounds(); ok {
			if f.agree.Servers == nil {
				f.agree.Servers = &span{}
			}
			f.agree.Servers.Lo += lo
			f.agree.Servers.Hi += hi
		}
	}
	if l.client != nil {
		f.client.look(*l.client, l.clientFrom, l.from)
		if lo, hi, ok := f.client.bounds(); ok {
			f.agree.Client = &span{lo, hi}
		}
	}
}

// everything is what a page is told first.
func (f *feed) everything() *update {
	load := f.load.status()
	u := &update{Load: &load, Hello: &hello{
		Layout: f.cfg.State.Layout, HTTPPort: f.cfg.State.HTTPPort, Balancer: f.cfg.State.Balancer, Methods: methods[f.cfg.State.Balancer], Lines: maxMinutes,
	}}
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Complete, u.OneOf, u.Live = f.counts.complete(time.Now()), 1/f.chance, map[string]now{}
	u.Rows, u.Marks = f.counts.rows(), slices.Clone(f.marks[:f.told])
	u.Recent, u.Verdicts, u.Agree = f.recent, f.verdicts, &f.agree
	u.Parts, u.Looked, u.Groups = f.parts, f.looked, f.groups()
	return u
}

// methods are proposed to people, in the words of each balancer; it has the last word itself.
var methods = map[string][]string{
	"nginx":   {"round_robin", "least_conn", "random two", "random", "ip_hash", "hash $request_uri"},
	"haproxy": {"roundrobin", "static-rr", "leastconn", "random(1)", "random(2)", "source"},
	"caddy":   {"round_robin", "least_conn", "random", "random_choose 2", "ip_hash"},
	"apache":  {"byrequests", "bybusyness", "bytraffic"},
}
