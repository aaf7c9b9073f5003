package randoms

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ErrBusy is returned when so many numbers are waiting to be drawn that another draw would wait for more
// than about a second.
var ErrBusy = errors.New("too many numbers are waiting to be drawn")

// backlogPerLane is how many numbers may be drawn and waited for per lane: 1.5 s at 0.75 ns a number. A draw
// that is larger by itself is let in when nothing else goes on.
const backlogPerLane = 2_000_000_000

// mostWaiting bounds the draws that wait, whatever their size: each holds a connection.
const mostWaiting = 8192

// Drawer draws in this process, some draws at a time. Its methods may be called from any goroutine.
type Drawer struct {
	lanes   gate
	drawers sync.Pool
}

// NewDrawer makes a Drawer that does as many draws at a time as it has lanes, one per core.
func NewDrawer(lanes int) *Drawer {
	return &Drawer{
		lanes:   newGate(lanes),
		drawers: sync.Pool{New: func() any { return newDrawer() }},
	}
}

// Draw draws n numbers. It gives up with ctx, and at once with ErrBusy if too much is waiting already.
func (d *Drawer) Draw(ctx context.Context, n int64) (Counts, error) {
	release, err := d.lanes.enter(ctx, n)
	if err != nil {
		return nil, err
	}
	defer release()
	worker, ok := d.drawers.Get().(*drawer)
	if !ok {
		worker = newDrawer()
	}
	defer d.drawers.Put(worker)
	return worker.drawAll(ctx, n)
}

// drawAll draws n numbers, chunk by chunk, and lets others have their turn in between.
func (d *drawer) drawAll(ctx context.Context, n int64) (Counts, error) {
	counts := make(Counts, Max)
	if n <= chunk {
		d.draw(int(n), counts)
		return counts, nil
	}
	turn, err := newTurn()
	if err != nil {
		return nil, err
	}
	defer turn.close()
	for n > 0 {
		now := min(n, chunk)
		d.draw(int(now), counts)
		if n -= now; n > 0 {
			if err := turn.give(); err != nil {
				return nil, err
			}
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("drawing: %w", context.Cause(ctx))
			}
		}
	}
	return counts, nil
}

// gate lets as many in at a time as it has lanes, and bounds what waits.
type gate struct {
	lanes   chan struct{}
	waiting *atomic.Int64
	numbers *atomic.Int64 // let in or waiting
	backlog int64
}

func newGate(lanes int) gate {
	return gate{
		lanes: make(chan struct{}, lanes), waiting: new(atomic.Int64), numbers: new(atomic.Int64),
		backlog: int64(lanes) * backlogPerLane,
	}
}

func (g *gate) enter(ctx context.Context, n int64) (release func(), err error) {
	if before := g.numbers.Add(n) - n; before > 0 && before+n > g.backlog {
		g.numbers.Add(-n)
		return nil, ErrBusy
	}
	leave := func() {
		<-g.lanes
		g.numbers.Add(-n)
	}
	select {
	case g.lanes <- struct{}{}:
		return leave, nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > mostWaiting {
		g.numbers.Add(-n)
		return nil, ErrBusy
	}
	select {
	case g.lanes <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		g.numbers.Add(-n)
		return nil, fmt.Errorf("waiting to draw: %w", context.Cause(ctx))
	}
}
