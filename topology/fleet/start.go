package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// StartTimeout bounds Start. One start of a process has less (supervise.Spec.ReadyTimeout), but several may
// follow each other.
const StartTimeout = 20 * time.Second

// Start starts everything. It fails, with nothing left to stop but by Stop, when the database, the balancer or every
// instance does not come up. An instance that does not, while others do, is reported in broken: the layout
// runs without it.
func (f *Fleet) Start(ctx context.Context) (broken []error, err error) {
	f.tasks.Go(f.keepBalance)
	f.tasks.Go(f.keepAccessLog)
	ctx, cancel := context.WithTimeoutCause(ctx, StartTimeout, fmt.Errorf("not ready within %v", StartTimeout))
	defer cancel()
	for _, parts := range f.tiers {
		for _, p := range parts {
			p.start(ctx, f.Note)
		}
		errs := f.awaitReady(ctx, parts)
		failed := 0
		for i, p := range parts {
			switch {
			case errs[i] == nil:
			case p.kind != Instance:
				return nil, errs[i]
			default:
				failed++
				broken = append(broken, errs[i])
			}
		}
		if n := len(f.cfg.Layout.Instances); failed == n && failed > 0 {
			return nil, broken[0]
		}
	}
	if len(broken) > 0 {
		return broken, nil
	}
	return nil, f.awaitAnswers(ctx)
}

// awaitReady waits for the parts, side by side, and returns the reasons of those that are not ready.
func (f *Fleet) awaitReady(ctx context.Context, parts []*part) []error {
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() {
			if err := p.awaitReady(ctx); err != nil {
				errs[i] = &PartError{Name: p.name, Log: p.logPath, Err: err}
			}
		})
	}
	wg.Wait()
	return errs
}

// PartError is a part that did not come up.
type PartError struct {
	Name string
	Log  string // path of its log
	Err  error
}

func (e *PartError) Error() string { return e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

// Stop ends everything, the balancer and the instances first, the database last, and waits for their ends. It says
// which processes had to be killed. The fleet can't be started again.
func (f *Fleet) Stop() error {
	close(f.stopping)
	f.turn <- struct{}{} // for good
	f.tasks.Wait()
	var errs []error
	for _, tier := range slices.Backward(f.tiers) {
		killed := make([]error, len(tier))
		var wg sync.WaitGroup
		for i, p := range tier {
			wg.Go(func() { killed[i] = p.stop() })
		}
		wg.Wait()
		errs = append(errs, killed...)
	}
	site := f.siteNow()
	site.Clean()
	f.Close()
	return errors.Join(errs...)
}
