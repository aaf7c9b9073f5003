package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"balanceo/loadgen/tally"
	"balanceo/results/judge"
	"balanceo/results/run"
)

// decider is a Sink that ends the attack as soon as the shares of all groups are decided: as promised, or not by chance.
// It may be asked after every hit, because its test is one that is valid at every look.
type decider struct {
	share  func(group, addr string) float64 // promised; 0: nothing is
	warmup time.Duration
	end    context.CancelFunc

	mu     sync.Mutex
	groups map[string]*decision
	done   bool
}

// decision is what is known of one group.
type decision struct {
	addrs  []string
	counts map[string]int64
	total  int64
	test   *judge.Sequential // of the counts when it was last asked
}

// falseAlarms is how often shares that are as promised are judged not to be, at most, in one group.
const falseAlarms = 1e-3

// newDecider returns a context that ends when everything is decided.
func newDecider(ctx context.Context, share func(group, addr string) float64, warmup time.Duration) (context.Context, *decider) {
	ctx, end := context.WithCancel(ctx)
	return ctx, &decider{share: share, warmup: warmup, end: end, groups: map[string]*decision{}}
}

// Add implements attack.Sink.
func (d *decider) Add(h *tally.Hit) {
	if h.Due < d.warmup || h.Group == "" {
		return
	}
	_, addr := tally.Tried(h.Tried)
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.groups[h.Group]
	if g == nil {
		g = &decision{counts: map[string]int64{}}
		d.groups[h.Group] = g
	}
	g.counts[addr]++
	g.total++
	if g.total%asked == 0 && !g.decided() {
		g.ask(func(addr string) float64 { return d.share(h.Group, addr) })
		d.done = d.all()
		if d.done {
			d.end()
		}
	}
}

// asked is after how many requests of a group the test is asked again.
const asked = 20

func (g *decision) decided() bool { return g.test != nil && g.test.Decided() }

// ask tests the counts. Servers that are promised a share and have got nothing are counted together.
func (g *decision) ask(share func(addr string) float64) {
	g.addrs = slices.Sorted(maps.Keys(g.counts))
	var expected []float64
	var counts []int64
	rest := 1.0
	for _, addr := range g.addrs {
		s := share(addr)
		if s == 0 {
			return // nothing is promised
		}
		expected, counts, rest = append(expected, s), append(counts, g.counts[addr]), rest-s
	}
	if rest > 1e-9 {
		expected, counts = append(expected, rest), append(counts, 0)
	}
	test, err := judge.NewSequential(expected, falseAlarms)
	if err != nil || math.IsNaN(rest) {
		return // a group of one server
	}
	if test.Add(counts) == nil {
		g.test = test
	}
}

// all tells whether each group is decided of which there is anything to decide.
func (d *decider) all() bool {
	some := false
	for _, g := range d.groups {
		if g.total < asked || g.test != nil && !g.test.Decided() {
			return false
		}
		some = some || g.decided()
	}
	return some
}

// note says in the record what was decided. A run that ended because all was decided is a whole one.
func (d *decider) note(r *run.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		r.Partial = false
	}
	for i := range r.Groups {
		g := &r.Groups[i]
		switch known := d.groups[g.Name]; {
		case known == nil || known.test == nil:
		case known.test.Verdict() == judge.Pass:
			g.Notes = append(g.Notes, fmt.Sprintf("Decided: each share is within 10%% of what is promised (wrong once in %.0f such runs at most).", 1/falseAlarms))
		case known.test.Verdict() == judge.Fail:
			g.Notes = append(g.Notes, fmt.Sprintf("Decided: these shares are not what is promised (chance does this once in %.0f such runs at most).", 1/known.test.P()))
		default:
			g.Notes = append(g.Notes, "Undecided: it takes more requests to tell whether the shares are as promised.")
		}
	}
}
