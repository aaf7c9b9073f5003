package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Periods of following. The database is asked for products that were saved without their event, by a process
// that was killed in between, once in sweepPeriod. A product counts as new for as long as clocks of processes
// may differ and a write may take: overlap.
const (
	sweepPeriod = 10 * time.Second
	overlap     = time.Minute
	retryFirst  = 50 * time.Millisecond
	retryMost   = 2 * time.Second
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
	t := &track{seen: map[ProductID]time.Time{}}
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
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = cursor.Close(closing)
	}()
	if !t.started {
		if err := s.startAt(try, newest, f, t); err != nil {
			return err
		}
	}
	var swept time.Time
	for ctx.Err() == nil {
		if time.Since(swept) > sweepPeriod {
			if err := s.sweep(ctx, f, t); err != nil {
				return err
			}
			swept = time.Now()
		}
		e, ok, err := next(ctx, cursor)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if e.Ended != "" {
			f.Ended(e.Ended)
		}
		if e.Product != nil && t.news(*e.Product) {
			f.Product(*e.Product)
		}
	}
	return ctx.Err()
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
	since   time.Time               // products before it are settled: delivered, or older than the list
	seen    map[ProductID]time.Time // products delivered since, with their time
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
	for id, at := range t.seen {
		if at.Before(t.since) {
			delete(t.seen, id)
		}
	}
}
