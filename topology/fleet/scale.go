package fleet

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

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
	workers, err := p.resize(ctx, s.PID, n)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	progress(fmt.Sprintf("%s has %d workers: %s", p.name, n, pids(workers)))
	return nil
}

// resize tells the master one worker more or one less, by a signal, until there are n. Signals that come
// close together become one, so each one's effect is waited for.
func (p *part) resize(ctx context.Context, master, n int) ([]int, error) {
	signalled := -1 // number of workers when the last signal was sent
	var sent time.Time
	for {
		table, err := procs.Read()
		if err != nil {
			return nil, err
		}
		workers := table.Children(master)
		if len(workers) == n {
			return workers, nil
		}
		if len(workers) != signalled || time.Since(sent) > time.Second {
			sig := syscall.SIGTTIN
			if len(workers) > n {
				sig = syscall.SIGTTOU
			}
			if err := p.process.Signal(sig); err != nil {
				return nil, err
			}
			signalled, sent = len(workers), time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d workers: %w", len(workers), n, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
