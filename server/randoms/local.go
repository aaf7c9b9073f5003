// Package randoms draws many integers at a request: in this process with Local, or with Processes in a child
// process for each draw, as package child makes it. It owns how many draws go on at once and how many wait.
package randoms

import (
	"context"
	"fmt"
	"sync"

	"balanceo/server/randoms/sample"
)

// chunk is how many numbers are drawn before others get their turn: about half a millisecond.
const chunk = 1_200_000

// Local draws in this process, some draws at a time. Its methods may be called from any goroutine.
type Local struct {
	queue    *queue
	samplers sync.Pool
}

// NewLocal makes a Local that does at most that many draws at a time: one per core is best.
func NewLocal(atOnce int) *Local {
	return &Local{queue: newQueue(atOnce, drawCost), samplers: sync.Pool{New: func() any { return sample.New() }}}
}

// AppendJSON draws n numbers and appends their counts to b. It gives up with ctx, and at once with ErrBusy if
// too much is waiting already.
func (l *Local) AppendJSON(ctx context.Context, b []byte, n int64) ([]byte, error) {
	if err := l.queue.enter(ctx, n); err != nil {
		return b, err
	}
	defer l.queue.leave(n)
	s := l.samplers.Get().(*sample.Sampler) //nolint:forcetypeassert // there is nothing else in it
	defer l.samplers.Put(s)
	s.Counts = sample.Counts{}
	if err := drawInTurns(ctx, s, n); err != nil {
		return b, err
	}
	return s.Counts.AppendJSON(b), nil
}

// drawInTurns draws n numbers, chunk by chunk, and lets others have their turn in between.
func drawInTurns(ctx context.Context, s *sample.Sampler, n int64) error {
	if n <= chunk {
		s.Draw(int(n))
		return nil
	}
	turn, err := newTurn()
	if err != nil {
		return err
	}
	defer turn.close()
	for {
		now := min(n, chunk)
		s.Draw(int(now))
		if n -= now; n == 0 {
			return nil
		}
		if err := turn.give(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("drawing: %w", context.Cause(ctx))
		}
	}
}
