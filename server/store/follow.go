package store

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Periods of following. The database is asked for products that were saved without their event, by a process
// that was killed in between, once in sweepPeriod. A product counts as new for as long as clocks of processes
// may differ and a write may take: overlap.
//
// The embedded database numbers events before it commits them, so of two that are written at once a cursor may
// see the second first and never the first. While events come, and for settled after the last, all that are
// kept are therefore looked at again every recheckPeriod, and after recheckEvents, before they are trimmed.
const (
	sweepPeriod   = 10 * time.Second
	recheckPeriod = 200 * time.Millisecond
	recheckEvents = eventsTrimmed / 4
	settled       = time.Second
	overlap       = time.Minute
	retryFirst    = 50 * time.Millisecond
	retryMost     = 2 * time.Second
)

// Follower is told what happens in the database, by one goroutine.
type Follower struct {
	Start   func(newest []Product) // once, before the others: the newest products, newest first
	Product func(Product)          // each product that is not among them and not older, once
	Ended   func(key string)       // a session was ended by its user; at least once
}

// Follow calls f until ctx ends. While the database is away it keeps trying, and it goes on where it was: no
// product is left out and none comes twice. The events are only a signal, read from a tailing cursor; after
// each interruption, and now and then, the products themselves are compared with what was delivered.
func (s *Store) Follow(ctx context.Context, newest int, f Follower) {
	t := &track{seen: map[ProductID]time.Time{}, heard: map[bson.ObjectID]time.Time{}}
	wait := retryFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := s.follow(ctx, newest, f, t)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > retryMost {
			wait = retryFirst
		}
		if !errors.Is(err, errCursorGone) {
			slog.Debug("following is interrupted", "error", err, "retry", wait)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait = min(2*wait, retryMost)
	}
}

// follow follows until something fails.
func (s *Store) follow(ctx context.Context, newest int, f Follower, t *track) error {
	select {
	case <-s.prepared:
	case <-ctx.Done():
		return ctx.Err()
	}
	try, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// First the cursor, then the products: what is saved in between is in both, and delivered once.
	cursor, err := s.tail(try)
	if err != nil {
		return err
	}
	arrivals, stop := s.read(ctx, cursor)
	defer stop()
	if !t.started {
		if err := s.startAt(try, newest, f, t); err != nil {
			return err
		}
	}
	sweep, recheck := time.NewTimer(0), time.NewTimer(0)
	defer sweep.Stop()
	defer recheck.Stop()
	var latest time.Time
	unchecked := 0 // events since the last recheck
	for {
		select {
		case a, ok := <-arrivals:
			if !ok {
				return ctx.Err()
			}
			if a.err != nil {
				return a.err
			}
			f.hear(a.event, t)
			if unchecked++; unchecked >= recheckEvents {
				recheck.Reset(0)
			} else if time.Since(latest) > settled {
				recheck.Reset(recheckPeriod)
			}
			latest = time.Now()
		case <-recheck.C:
			if err := s.recheck(ctx, f, t); err != nil {
				return err
			}
			unchecked = 0
			if time.Since(latest) < settled {
				recheck.Reset(recheckPeriod)
			}
		case <-sweep.C:
			if err := s.sweep(ctx, f, t); err != nil {
				return err
			}
			sweep.Reset(sweepPeriod)
		}
	}
}

// arrival is an event, or why there will be none any more.
type arrival struct {
	event event
	err   error
}

// read passes on what the cursor brings, until it fails or stop is called. The last arrival has an error.
func (s *Store) read(ctx context.Context, cursor *mongo.Cursor) (arrivals <-chan arrival, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan arrival)
	go func() {
		defer close(out)
		for {
			e, ok, err := next(ctx, cursor)
			if err == nil && !ok {
				continue
			}
			select {
			case out <- arrival{e, err}:
			case <-ctx.Done():
			}
			if err != nil || ctx.Err() != nil {
				return
			}
		}
	}()
	return out, func() {
		cancel()
		for range out { // until nobody uses the cursor
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = cursor.Close(closing)
	}
}

// hear passes on what an event tells, the first time that it is heard.
func (f Follower) hear(e event, t *track) {
	if _, known := t.heard[e.ID]; known {
		return
	}
	t.heard[e.ID] = time.Now()
	if e.Ended != "" {
		f.Ended(e.Ended)
	}
	if e.Product != nil && t.news(*e.Product) {
		f.Product(*e.Product)
	}
}

// recheck looks at the latest events, whether or not they came from the cursor.
func (s *Store) recheck(ctx context.Context, f Follower, t *track) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	events, err := s.eventsSince(ctx, time.Now().Add(-overlap))
	if err != nil {
		return err
	}
	for _, e := range events {
		f.hear(e, t)
	}
	return nil
}

func (s *Store) startAt(ctx context.Context, newest int, f Follower, t *track) error {
	now := time.Now()
	products, err := s.Newest(ctx, newest)
	if err != nil {
		return err
	}
	t.start(now, products, len(products) == newest)
	f.Start(products)
	return nil
}

func (s *Store) sweep(ctx context.Context, f Follower, t *track) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := time.Now()
	products, err := s.productsSince(ctx, t.since)
	if err != nil {
		return err
	}
	for _, p := range products {
		if t.news(p) {
			f.Product(p)
		}
	}
	t.swept(now)
	return nil
}

// track knows which products were delivered.
type track struct {
	started bool
	since   time.Time                   // products before it are settled: delivered, or older than the list
	seen    map[ProductID]time.Time     // products delivered since, with their time
	heard   map[bson.ObjectID]time.Time // events, with the time of hearing
}

// start begins with a list of products, newest first. full tells that there may be older ones.
func (t *track) start(now time.Time, newest []Product, full bool) {
	t.started = true
	for _, p := range newest {
		t.seen[p.ID] = p.TimeStamp
	}
	t.since = now.Add(-overlap)
	if full && len(newest) > 0 {
		if oldest := newest[len(newest)-1].TimeStamp; oldest.After(t.since) {
			t.since = oldest.Add(time.Millisecond)
		}
	}
}

// news tells whether p is to be delivered, and remembers that it was.
func (t *track) news(p Product) bool {
	if _, known := t.seen[p.ID]; known || p.TimeStamp.Before(t.since) {
		return false
	}
	t.seen[p.ID] = p.TimeStamp
	return true
}

// swept settles what is older than the overlap, after all products since t.since were looked at, at the time
// now.
func (t *track) swept(now time.Time) {
	if since := now.Add(-overlap); since.After(t.since) {
		t.since = since
	}
	maps.DeleteFunc(t.seen, func(_ ProductID, at time.Time) bool { return at.Before(t.since) })
	maps.DeleteFunc(t.heard, func(_ bson.ObjectID, at time.Time) bool { return at.Before(now.Add(-2 * overlap)) })
}
