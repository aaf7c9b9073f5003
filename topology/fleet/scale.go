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

// scale gives an instance in mode CLUSTER another number of workers, now and at every later start.
func (f *Fleet) scale(ctx context.Context, a Action, progress Progress) error {
	n := a.Workers
	p, err := f.one(a)
	if err != nil {
		return err
	}
	if p.kind != Instance || p.instance.Mode != layout.Cluster {
		return fmt.Errorf("%s is no CLUSTER instance: it has one process", p.name)
	}
	if n < 1 || n > layout.MaxWorkers {
		return fmt.Errorf("%d workers: 1 to %d", n, layout.MaxWorkers)
	}
	p.setWanted(n)
	s := p.process.Status()
	if s.State != supervise.Ready {
		progress(fmt.Sprintf("%s is %s; it will have %d workers when it starts", p.name, s.State, n))
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("not within 20s"))
	defer cancel()
	workers, err := f.resize(ctx, p, s.PID, n)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	progress(fmt.Sprintf("%s has %d workers: %s", p.name, n, pids(workers)))
	return nil
}

// resize tells the master how many workers it is to have, and waits until so many serve and the others have ended.
// The number is a value: workers that still drain, and a number that is told twice, change nothing.
func (f *Fleet) resize(ctx context.Context, p *part, master, n int) ([]int, error) {
	path := f.scoreboard(p)
	if err := scoreboard.SetWorkers(path, n); err != nil {
		return nil, err
	}
	if err := p.process.Signal(syscall.SIGUSR1); err != nil {
		return nil, err
	}
	for {
		_, ready, err := scoreboard.Workers(path)
		if err != nil {
			return nil, err
		}
		table, err := procs.Read()
		if err != nil {
			return nil, err
		}
		workers := table.Children(master)
		if ready == n && len(workers) == n {
			return workers, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d workers are ready, %d processes: %w", ready, n, len(workers), context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

