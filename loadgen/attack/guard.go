package attack

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long, after the warm-up, an attack goes on without having reached anybody: there is no use in
// failing for minutes.
const patience = time.Second

// guard ends the attack before its time: when ctx is done, or when nobody was reached. It notes what this process
// had used when the warm-up was over.
func (a *attack) guard(ctx context.Context, finished <-chan struct{}, cancel func()) {
	done := ctx.Done()
	select {
	case <-a.begun:
	case <-finished:
		return
	}
	a.measuring, _ = Used()
	warm := time.NewTimer(a.cfg.Schedule.Warmup - a.now())
	defer warm.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	var drained <-chan time.Time
	end := func() {
		done = nil
		if !a.stopped.Swap(true) {
			a.endedAt = a.now()
			drained = time.After(a.cfg.Drain)
		}
	}
	for {
		select {
		case <-finished:
			return
		case <-warm.C:
			a.measuring, _ = Used()
		case <-done:
			end()
		case <-drained:
			a.aborted.Store(true)
			cancel()
		case <-look.C:
			if a.any.Load() && !a.reached.Load() && a.now() > a.cfg.Schedule.Warmup+patience && !a.stopped.Load() {
				a.out.Nobody = true
				end()
			}
		}
	}
}

// Used is what this process has used so far: processor time, user and system, and its greatest resident size in bytes.
func Used() (cpu time.Duration, rss int64) {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return 0, 0
	}
	rss = ru.Maxrss
	if runtime.GOOS != "darwin" {
		rss *= 1024 // kilobytes everywhere else
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), rss
}

// oneCoreRate is the rate up to which one loop sends, in requests per second: at that rate it has more than half of
// its core left.
const oneCoreRate = 10000

// busyGCPercent is how much the heap grows between collections without a pace or above oneCoreRate. What is alive is
// a few megabytes, so collections at Go's own 100 would come often for little.
const busyGCPercent = 400

// tune sets the runtime up for an attack: it returns on how many cores hits are sent, and how to undo it. A loop
// keeps its processor while it waits, so Go gets one more. $GOMAXPROCS and $GOGC overrule it.
func tune(cfg *Config) (shards int, undo func()) {
	before := runtime.GOMAXPROCS(0)
	shards, gc := before, busyGCPercent
	if s := &cfg.Schedule; s.Paced() {
		shortSlices() // without a pace nobody waits for a time, and shorter turns are only more of them
		if s.Peak() <= oneCoreRate {
			shards, gc = 1, 100
		}
	}
	shards = min(shards, cfg.Workers)
	procs := shards
	if cfg.Engine == Fast {
		procs++
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(procs)
	}
	if os.Getenv("GOGC") != "" {
		return shards, func() { runtime.GOMAXPROCS(before) }
	}
	gc = debug.SetGCPercent(gc)
	return shards, func() {
		runtime.GOMAXPROCS(before)
		debug.SetGCPercent(gc)
	}
}
