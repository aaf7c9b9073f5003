package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// Sink takes the hits of one shard, one after the other. It must not keep the Hit.
type Sink interface{ Add(h *tally.Hit) }

// Config is one attack.
type Config struct {
	Target    Target
	Requests  []Request
	At        func(n uint64) int // index into Requests of hit n; called from many goroutines
	Schedule  pace.Schedule
	Workers   int           // most requests under way at once, over all shards; at least one a shard
	Timeout   time.Duration // of one request, connecting included
	Insecure  bool          // don't check the server's certificate
	UserAgent string        // warm-up requests add WarmupSuffix
	Sinks     []Sink        // one a shard; their number is the number of shards
	Drain     time.Duration // how long requests under way may take once ctx is done
}

// Outcome is what an attack tells beside its hits.
type Outcome struct {
	Began    time.Time     // time 0 of all hits
	Measured time.Duration // length of the part after the warm-up: shorter than asked if it was ended early
	Partial  bool          // it was ended early
	Resent   int64         // requests sent again as a kept connection turned out to have been closed
	Late     int64         // hits sent so long after the end of the schedule that they don't count as sent in time
	LastSent time.Duration // when the last hit was sent
}

// Hits that come due at the end of a schedule are not to be lost to a stall that is not over by then: they
// are sent up to lateGrace after the end, and no longer, as a server that can't keep up would make the attack
// endless. Those sent more than onTime after the end, which is more than a timer is late, are Late.
const (
	lateGrace = 2 * time.Second
	onTime    = 100 * time.Millisecond
)

// Run attacks until the schedule is over or ctx is done, and returns when the last request under way has
// ended.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	if len(cfg.Sinks) == 0 || len(cfg.Requests) == 0 {
		return Outcome{}, errors.New("attack: no sinks or no requests")
	}
	dial, err := newDialer(&cfg)
	if err != nil {
		return Outcome{}, err
	}
	requests := make([]wire, len(cfg.Requests))
	for i, r := range cfg.Requests {
		if requests[i], err = r.encode(cfg.Target, cfg.UserAgent); err != nil {
			return Outcome{}, err
		}
	}
	abort, aborted := context.WithCancel(context.WithoutCancel(ctx)) // done: cut off what is under way
	defer aborted()
	a := &attack{cfg: &cfg, dial: dial, requests: requests, abort: abort, zero: time.Now()}
	shards := make([]*shard, len(cfg.Sinks))
	for i := range shards {
		if shards[i], err = newShard(a, i); err != nil {
			return Outcome{}, err
		}
		defer shards[i].close()
	}

	var wg sync.WaitGroup
	for _, s := range shards {
		wg.Go(s.run)
	}
	finished := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { a.watch(ctx, shards, finished, aborted) })
	wg.Wait()
	close(finished)
	watch.Wait()
	return a.outcome(ctx, shards), nil
}

// attack is what the shards of a running attack share; none of it changes while it runs.
type attack struct {
	cfg      *Config
	dial     *dialer
	requests []wire
	abort    context.Context
	zero     time.Time
	endedAt  time.Duration // when ctx was done; set by watch, read when it has ended
}

func (a *attack) now() time.Duration { return time.Since(a.zero) }

func newDialer(cfg *Config) (*dialer, error) {
	d := &dialer{target: cfg.Target, timeout: cfg.Timeout}
	if cfg.Target.TLS {
		host, _, err := net.SplitHostPort(cfg.Target.Addr)
		if err != nil {
			return nil, err
		}
		d.tls = &tls.Config{ServerName: host, InsecureSkipVerify: cfg.Insecure, NextProtos: []string{"http/1.1"}}
	}
	return d, nil
}

// watch stops the shards when the attack is to end and cuts off requests that take too long.
func (a *attack) watch(ctx context.Context, shards []*shard, finished <-chan struct{}, abort func()) {
	stop := func() {
		for _, s := range shards {
			s.stop()
		}
	}
	over := time.NewTimer(a.cfg.Schedule.End() + lateGrace - a.now())
	defer over.Stop()
	slow := time.NewTicker(min(max(a.cfg.Timeout/20, 5*time.Millisecond), 250*time.Millisecond))
	defer slow.Stop()
	trim := time.NewTicker(keepIdle / 3)
	defer trim.Stop()
	done := ctx.Done()
	var drained <-chan time.Time
	for {
		select {
		case <-finished:
			return
		case <-over.C:
			stop()
		case <-done:
			done = nil
			a.endedAt = a.now()
			stop()
			drained = time.After(a.cfg.Drain)
		case <-drained:
			abort()
			for _, s := range shards {
				s.cut(a.now())
			}
		case <-slow.C:
			for _, s := range shards {
				s.cut(a.now() - a.cfg.Timeout)
			}
		case <-trim.C:
			for _, s := range shards {
				s.trim()
			}
		}
	}
}

func (a *attack) outcome(ctx context.Context, shards []*shard) Outcome {
	out := Outcome{Began: a.zero, Measured: a.cfg.Schedule.Duration}
	for _, s := range shards {
		out.Resent += s.resent
		out.Late += s.late
		out.LastSent = max(out.LastSent, s.lastSent)
	}
	if ctx.Err() != nil && a.endedAt > 0 && a.endedAt < a.cfg.Schedule.End() {
		out.Partial = true
		out.Measured = max(0, a.endedAt-a.cfg.Schedule.Warmup)
	}
	return out
}
