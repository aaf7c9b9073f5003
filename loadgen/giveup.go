package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/tally"
)

// errNobody ends an attack on a target that nobody serves: there is no use in failing for minutes.
var errNobody = errors.New("nobody serves the target")

// pulse tells whether anything reached the target, and what this process had used when the warm-up was over.
// It is fed by all shards.
type pulse struct {
	warmup        time.Duration
	hits, reached atomic.Int64
	measuring     sync.Once
	used          usage // before the first hit of the measured part was counted
}

func (p *pulse) Add(h *tally.Hit) {
	p.hits.Add(1)
	if attack.Reached(h.Err) {
		p.reached.Add(1)
	}
	if h.Due >= p.warmup {
		p.measuring.Do(func() { p.used = newUsage() })
	}
}

// patience is how long, after the warm-up, an attack goes on without having reached anybody.
const patience = time.Second

// giveUp returns a context that ends with errNobody if by then every request failed to reach the target.
// The function returned must be called when the attack is over.
func (p *pulse) giveUp(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for p.reached.Load() == 0 {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if p.hits.Load() > 0 && p.reached.Load() == 0 && time.Since(began) > p.warmup+patience {
					cancel(errNobody)
					return
				}
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}
