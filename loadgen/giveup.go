package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/tally"
)

// errNobody ends an attack on a target that nobody serves: there is no use in failing for minutes.
var errNobody = errors.New("nobody serves the target")

// pulse tells whether anything reached the target. It is fed by all shards.
type pulse struct{ hits, reached atomic.Int64 }

func (p *pulse) Add(h *tally.Hit) {
	p.hits.Add(1)
	if attack.Reached(h.Err) {
		p.reached.Add(1)
	}
}

// patience is how long, after the warm-up, an attack goes on without having reached anybody.
const patience = time.Second

// giveUp returns a context that ends with errNobody if by then every request failed to reach the target.
// The function returned must be called when the attack is over.
func (p *pulse) giveUp(ctx context.Context, warmup time.Duration) (context.Context, func()) {
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
				if p.hits.Load() > 0 && p.reached.Load() == 0 && time.Since(began) > warmup+patience {
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
