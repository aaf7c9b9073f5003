package keeper

import (
	"context"
	"slices"
	"sync"

	"balanceo/topology/fleet"
)

// kept is how many events are remembered.
const kept = 200

// journal remembers the latest events and wakes whoever waits for the next one. Adding to it never waits.
type journal struct {
	mu     sync.Mutex
	events []fleet.Event // oldest first; their numbers have no gap
	last   int           // number of the latest one
	added  chan struct{} // closed and replaced with every event
}

func newJournal() *journal { return &journal{added: make(chan struct{})} }

func (j *journal) add(e fleet.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.Number = j.last
	if len(j.events) == kept {
		j.events = slices.Delete(j.events, 0, 1)
	}
	j.events = append(j.events, e)
	close(j.added)
	j.added = make(chan struct{})
}

func (j *journal) all() []fleet.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

// wait returns the events with numbers above after, as far as they are remembered, once there is one.
func (j *journal) wait(ctx context.Context, after int) ([]fleet.Event, error) {
	for {
		j.mu.Lock()
		i := max(0, len(j.events)-max(0, j.last-after))
		events, added := slices.Clone(j.events[i:]), j.added
		j.mu.Unlock()
		if len(events) > 0 {
			return events, nil
		}
		select {
		case <-added:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
