package store

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Periods of following. Where processes write the events, the database is asked for products that were saved without
// their event, by a process that was killed in between, once in sweepPeriod. A product counts as new for as long as
// clocks of processes may differ and a write may take: overlap.
const (
	sweepPeriod = 10 * time.Second
	overlap     = time.Minute
	retryFirst  = 50 * time.Millisecond
	retryMost   = 2 * time.Second

	// attemptsFirst is after how many attempts to hear of changes the products are looked at without that.
	attemptsFirst = 3
)

// Follower is told what happens in the database, by one goroutine.
type Follower struct {
	Start   func(newest []Product) // once, before the others: the newest products, newest first
	Product func(Product)          // each product that is not among them and not older, once
	Ended   func(key string)       // a session is no more; at least once, unless there was an interruption
	Resumed func()                 // after an interruption, in which sessions may have ended
}

// pauses are those between attempts: longer each time, until one lasts.
type pauses struct{ next time.Duration }

func (p *pauses) wait(ctx context.Context, lasted time.Duration) {
	if lasted > retryMost {
		p.next = 0
	}
	p.next = min(max(2*p.next, retryFirst), retryMost)
	wait(ctx, p.next/2+rand.N(p.next/2))
}

// Follow calls f until ctx ends. While the database is away it keeps trying, and it goes on where it was: no
// product is left out and none comes twice. Changes are only a signal, from a database that tells them by itself or
// from a collection of events; after each interruption the products themselves are compared with what was delivered.
func (s *Store) Follow(ctx context.Context, newest int, f Follower) {
	t := &track{seen: map[ProductID]time.Time{}}
	pause := pauses{}
	for ctx.Err() == nil {
		began := time.Now()
		t.attempts++
		if err := s.follow(ctx, newest, f, t); err != nil && ctx.Err() == nil {
			slog.Debug("following is interrupted", "error", err)
		}
		if ctx.Err() == nil {
			pause.wait(ctx, time.Since(began))
		}
	}
}

// follow follows until something fails.
func (s *Store) follow(ctx context.Context, newest int, f Follower, t *track) error {
	select {
	case <-s.prepared:
	case <-ctx.Done():
		return ctx.Err()
	}
	// First the changes, then the products: what is saved in between is in both, and delivered once.
	told, changes, list, stop, err := s.changes(ctx)
	switch {
	case err != nil && t.attempts <= attemptsFirst: // a process that begins is not connected yet
		return err
	case err != nil:
		return errors.Join(err, s.catchUp(ctx, newest, nil, f, t))
	}
	defer stop()
	resumed := t.started
	if err := s.catchUp(ctx, newest, list, f, t); err != nil {
		return err
	}
	if resumed {
		f.Resumed()
	}
	sweep := time.NewTicker(sweepPeriod)
	defer sweep.Stop()
	for {
		select {
		case c, ok := <-changes:
			if !ok {
				return ctx.Err()
			}
			f.hear(c, t)
		case <-sweep.C:
			switch {
			case told:
				t.swept(time.Now())
			case s.hearing.tellsChanges():
				return nil // found out meanwhile
			default:
				if err := s.sweep(ctx, f, t); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changes gives the changes from now on, by the way that this database has, and the newest products if it tells
// them.
func (s *Store) changes(ctx context.Context) (told bool, changes <-chan Change, newest []Product, stop func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch _, err = s.where(ctx); {
	case err == nil:
		changes, newest, stop, err = s.hearing.subscribe()
		return true, changes, newest, stop, err
	case errors.Is(err, errSilent) && s.streams.Load():
		var refused bool
		if changes, stop, refused, err = s.stream(ctx); refused {
			s.streams.Store(false)
			changes, stop, err = s.tail(ctx)
		}
	case errors.Is(err, errSilent):
		changes, stop, err = s.tail(ctx)
	}
	return false, changes, nil, stop, err
}

// catchUp delivers what is in the database: the list first, later what was saved since. told has the newest products,
// where the database tells them; to ask for them costs the embedded database a look at all that there are.
func (s *Store) catchUp(ctx context.Context, newest int, told []Product, f Follower, t *track) error {
	switch {
	case told != nil && newest <= NewestTold && !t.started:
		told = told[:min(len(told), newest)]
		t.start(time.Now(), told, len(told) == newest)
		f.Start(told)
		return nil
	case told != nil && newest <= NewestTold:
		for _, p := range slices.Backward(told) {
			if t.news(p) {
				f.Product(p)
			}
		}
		return nil
	case t.started:
		return s.sweep(ctx, f, t)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.startAt(ctx, newest, f, t)
}

// hear passes on what a change tells.
func (f Follower) hear(c Change, t *track) {
	if c.Ended != "" {
		f.Ended(c.Ended)
	}
	if c.Product != nil && t.news(*c.Product) {
		f.Product(*c.Product)
	}
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
	attempts int
	started  bool
	since    time.Time               // products before it are settled: delivered, or older than the list
	seen     map[ProductID]time.Time // products delivered since, with their time
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
}
