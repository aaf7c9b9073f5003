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
	began    time.Time
	before   map[string]int64 // requests that it had given to each server; nil: it does not count
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
	a.balancer, a.site, a.shares, a.began = b, &balancer.Site{Dir: s.NginxDir}, s.Shares, time.Now()
	a.before = a.given(ctx)
	return a
}

// line is a line of the balancer's log in the keys of nginx.conf's log_format.
func (a *asked) line(text []byte) []byte {
	if a.balancer == nil {
		return text
	}
	return a.balancer.LogLine(text)
}

// given is how many requests it has given to each server; nil: it does not tell.
func (a *asked) given(ctx context.Context) map[string]int64 {
	if a.balancer == nil {
		return nil
	}
	state, err := a.balancer.Ask(ctx, a.site)
	if err != nil {
		return nil
	}
	n := map[string]int64{}
	for _, servers := range state {
		for _, s := range servers {
			if s.Requests < 0 {
				return nil
			}
			n[s.Addr] += s.Requests
		}
	}
	return n
}

// reloaded tells whether it has read its configuration since the watch began, and with that begun to count anew.
func (a *asked) reloaded() bool {
	conf, err := balancer.Load(a.shares)
	if err != nil || len(conf.Epochs) == 0 {
		return true
	}
	return conf.Epochs[len(conf.Epochs)-1].Began.After(a.began)
}

// counted is what the balancer itself has counted of the run, by its log: nil where it does not count, or was reloaded
// meanwhile, which begins its counts anew. Why is a sentence for each server whose count and log lines differ.
func (a *asked) counted(ctx context.Context, log *logCount) (n *int64, why []string) {
	if a.before == nil || log == nil {
		return nil, nil
	}
	after := a.given(ctx)
	if after == nil || a.reloaded() {
		return nil, nil
	}
	var sum int64
	for addr, now := range after {
		if now < a.before[addr] {
			return nil, nil
		}
		got := now - a.before[addr]
		if lines := log.answered(addr) + log.cutOff(addr); got != lines {
			why = append(why, fmt.Sprintf("%s counts %d requests that it gave to %s, and its log has %d.", a.balancer.Name(), got, addr, lines))
		}
		sum += got - log.warmup.answered[addr] - log.foreign.answered[addr]
	}
	return &sum, why
}
