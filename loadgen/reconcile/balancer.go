package reconcile

import (
	"context"
	"fmt"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/known"
	"balanceo/topology/layout"
)

// asked is the running balancer of a layout, as far as it tells of itself.
type asked struct {
	balancer balancer.Balancer // nil: none of ours
	site     *balancer.Site
	shares   string // file that tells what it promises, and since when
	before   given
}

// given is what a balancer says of itself, and when it said so.
type given struct {
	span
	requests map[string]int64 // that it has given to each server; nil: it does not count
	unlogged int64            // lines that it has left out of its log
}

func ask(ctx context.Context, s *layout.State) *asked {
	a := &asked{}
	if s == nil {
		return a
	}
	b, err := known.Named(s.Balancer)
	if err != nil {
		return a
	}
	a.balancer, a.site, a.shares = b, &balancer.Site{Dir: s.NginxDir}, s.Shares
	a.before = a.given(ctx)
	return a
}

// newlyUnlogged is how many lines it has left out of its log since the watch began. What was before a reload it forgets.
func (a *asked) newlyUnlogged(now given) int64 {
	if now.unlogged < a.before.unlogged {
		return now.unlogged
	}
	return now.unlogged - a.before.unlogged
}

// line is a line of the balancer's log in the keys of nginx.conf's log_format.
func (a *asked) line(text []byte) []byte {
	if a.balancer == nil {
		return text
	}
	return a.balancer.LogLine(text)
}

// given asks it.
func (a *asked) given(ctx context.Context) (g given) {
	if a.balancer == nil {
		return g
	}
	g.from = time.Now()
	defer func() { g.to = time.Now() }()
	if d, ok := a.balancer.(balancer.Dropper); ok {
		g.unlogged, _ = d.Dropped(ctx, a.site) // that it can't be asked is seen below
	}
	state, err := a.balancer.Ask(ctx, a.site)
	if err != nil {
		return g
	}
	n := map[string]int64{}
	for _, servers := range state {
		for _, s := range servers {
			if s.Requests < 0 {
				return g
			}
			n[s.Addr] += s.Requests
		}
	}
	g.requests = n
	return g
}

// reloaded tells whether it has read its configuration since the watch began, and with that begun to count anew.
func (a *asked) reloaded() bool {
	conf, err := balancer.Load(a.shares)
	if err != nil || len(conf.Epochs) == 0 {
		return true
	}
	return conf.Epochs[len(conf.Epochs)-1].Began.After(a.before.from)
}

// counted is what the balancer itself has counted of the run, by its log: nil where it does not count, or was reloaded
// meanwhile, which begins its counts anew. Why is a sentence for each server whose count and log lines differ.
func (a *asked) counted(now given, log *logCount) (n *int64, why []string) {
	if a.before.requests == nil || now.requests == nil || a.reloaded() {
		return nil, nil
	}
	var sum int64
	sure, perhaps := log.untilAsked(now.span)
	for addr, given := range now.requests {
		if given < a.before.requests[addr] {
			return nil, nil
		}
		got := given - a.before.requests[addr] - sure[addr]
		lines := log.answered(addr) + log.cutOff(addr)
		if got < lines || got > lines+perhaps[addr]+log.dropped {
			why = append(why, fmt.Sprintf("%s counts %d requests that it gave to %s, and its log has %d.", a.balancer.Name(), got, addr, lines))
		}
		sum += got - min(max(got-lines, 0), perhaps[addr]) - log.warmup.answered[addr] - log.foreign.answered[addr]
	}
	return &sum, why
}
