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
)

const (
	tickEvery = 250 * time.Millisecond // pages are told what is new
	slowEvery = 4                      // ticks between two updates with what changes slowly
	lookEvery = 8                      // ticks between two looks at the layout's status, which cost more than all else
	shownRate = 45                     // requests a second that move through the picture, on average, at the most
	shownTick = 14                     // and in one tick
	keptMarks = 200
)

// feed knows what the page shows.
type feed struct {
	cfg     Config
	balance balancer.Balancer
	load    *loader
	hub     hub
	due     atomic.Bool // a look at the layout: something has happened

	mu       sync.Mutex // of what follows
	line     []byte
	reader   reader
	counts   *counts
	judge    *judge
	compared map[string]*comparison // by server
	client   comparison             // of the answers of the page's own loadgen
	own      string                 // id of its run
	runs     runs
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
		compared: map[string]*comparison{}, chance: 1, changed: now.UnixMilli(), runs: runs{begun: now.UnixMilli(), all: map[string]*stay{}},
	}
}

// run follows the layout until ctx is done or the layout is down.
func (f *feed) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var tasks sync.WaitGroup
	failed := make(chan error, 2)
	if log := f.conf.AccessLog; log != "" {
		tasks.Go(func() {
			background()
			failed <- logs.Follow(ctx, f.read, logs.Source{Name: f.cfg.State.Balancer, Path: log})
		})
	}
	tasks.Go(func() { failed <- f.cfg.Keeper.Events(ctx, 0, f.event) })
	tasks.Go(func() {
		background()
		f.tell(ctx)
	})
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
	at := time.Now().UnixMilli()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.line = append(f.line[:0], l.Text...)
	r, ok := f.reader.request(f.balance.LogLine(f.line))
	if !ok {
		return
	}
	f.counts.add(&r, at)
	f.judge.add(&r)
	if r.run == f.own && r.run != "" && !r.warmup {
		f.client.add(r.ended)
	}
	if m := f.runs.see(&r); m != nil {
		f.mark(*m)
	}
	for _, a := range r.attempts {
		if a.answered {
			f.compare(a.addr).add(r.ended)
		}
	}
	if len(f.samples) < shownTick && rand.Float64() < f.chance {
		var via []string
		for _, a := range r.attempts {
			via = append(via, a.addr)
		}
		f.samples = append(f.samples, sample{Ended: r.ended, Group: r.group, Via: via, Failed: r.failed(), Took: r.took})
	}
}

func (f *feed) compare(addr string) *comparison { return named(f.compared, addr) }

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

// note adds what the page itself has done; run is the id of a load that begins.
func (f *feed) note(text, by, run string) {
	f.cfg.Log(fmt.Sprintf("%s (by %s)", text, by))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client.begin()
	f.own = run
	f.runs.begin(run, time.Now().UnixMilli())
	f.mark(fleet.Event{At: time.Now(), Kind: fleet.EventAction, By: by, Text: text})
}

func addrOf(port int) string { return net.JoinHostPort(fleet.Loopback, strconv.Itoa(port)) }
