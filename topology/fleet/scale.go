package fleet

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"balanceo/server/scoreboard"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/supervise"
)

// scaleLimit is how long workers have to become ready.
const scaleLimit = 20 * time.Second

// scale gives an instance in mode CLUSTER another number of workers, now and at every later start. It returns when
// that many are ready; where they don't become so, the number is the one of before again.
func (f *Fleet) scale(ctx context.Context, a Action, progress Progress) error {
	p, err := f.one(a)
	if err != nil {
		return err
	}
	if p.kind != Instance || p.instance.Mode != layout.Cluster {
		return fmt.Errorf("%s is no CLUSTER instance: it has one process", p.name)
	}
	if a.Workers < 1 || a.Workers > layout.MaxWorkers {
		return fmt.Errorf("%d workers: accepted are 1 to %d", a.Workers, layout.MaxWorkers)
	}
	before := p.wanted()
	p.setWanted(a.Workers)
	s := p.process.Status()
	if s.State != supervise.Ready {
		progress(fmt.Sprintf("%s is %s; it will have %d workers when it starts", p.name, s.State, a.Workers))
		return nil
	}
	running, _, err := scoreboard.Workers(f.scoreboard(p))
	var workers []int
	if err == nil {
		workers, err = f.resize(ctx, p, s.PID, a.Workers)
	}
	if err != nil {
		p.setWanted(before)
		if running > 0 {
			_ = f.wantWorkers(p, running) // it may have ended
		}
		return fmt.Errorf("%s: %w", p.name, err)
	}
	progress(fmt.Sprintf("%s has %d workers: %s", p.name, a.Workers, pids(workers)))
	return nil
}

// wantWorkers tells the master how many workers it is to have.
func (f *Fleet) wantWorkers(p *part, n int) error {
	if err := scoreboard.SetWorkers(f.scoreboard(p), n); err != nil {
		return err
	}
	return p.process.Signal(syscall.SIGUSR1)
}

// resize returns when the master with that pid has n workers that are ready, and the others have drained and ended.
func (f *Fleet) resize(ctx context.Context, p *part, master, n int) (workers []int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, scaleLimit, fmt.Errorf("not within %v", scaleLimit))
	defer cancel()
	if err := f.wantWorkers(p, n); err != nil {
		return nil, err
	}
	for {
		_, ready, err := scoreboard.Workers(f.scoreboard(p))
		if err != nil {
			return nil, err
		}
		table, err := procs.Read()
		if err != nil {
			return nil, err
		}
		switch workers = table.Children(master); {
		case ready == n && len(workers) == n:
			return workers, nil
		case p.process.Status().PID != master:
			return nil, errors.New("its master has ended meanwhile")
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d workers are ready, %d processes: %w", ready, n, len(workers), context.Cause(ctx))
		case <-time.After(10 * time.Millisecond): // there is no event
		}
	}
}
