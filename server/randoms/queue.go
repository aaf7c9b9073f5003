package randoms

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrBusy is returned when so much is waiting to be drawn that another draw would wait for more than about a
// second.
var ErrBusy = errors.New("too many numbers are waiting to be drawn")

// What may go on and wait, and what a draw costs beside its numbers, counted in numbers (half a nanosecond
// each).
const (
	backlogEach = 3_000_000_000 // per draw at a time: 1.5 s
	drawCost    = 400_000       // its share of a request that waits: at most 7,500 of them for each draw at a time
	processCost = 30_000_000    // starting a child, 15 ms on a busy machine: at most 100 of them
)

// queue lets some draws in at a time, and bounds what waits by how long that will take. A draw that is larger
// by itself is let in when nothing else goes on.
type queue struct {
	places  chan struct{}
	numbers atomic.Int64 // of the draws that were let in or wait, with what each costs beside
	most    int64
	cost    int64
}

func newQueue(atOnce int, cost int64) *queue {
	return &queue{places: make(chan struct{}, atOnce), most: int64(atOnce) * backlogEach, cost: cost}
}

// enter waits for a place; leave must be called where it returns no error.
func (q *queue) enter(ctx context.Context, n int64) error {
	n += q.cost
	if all := q.numbers.Add(n); all > n && all > q.most {
		q.numbers.Add(-n)
		return ErrBusy
	}
	select {
	case q.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case q.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		q.numbers.Add(-n)
		return fmt.Errorf("waiting to draw: %w", context.Cause(ctx))
	}
}

func (q *queue) leave(n int64) {
	<-q.places
	q.numbers.Add(-n - q.cost)
}
