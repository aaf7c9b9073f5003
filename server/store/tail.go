package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Where the database does not tell its changes by itself, processes write them into a capped collection and each
// follower has a cursor waiting at its end. MongoDB wakes it.

// eventsMost is how many events stay. They are signals that are read within milliseconds; whoever was away for
// longer reads the products themselves.
const eventsMost = 1000

// FerretDB numbers events before it commits them, so that of two that are written at once a cursor may see the second
// first and never the first. While events come, and for settled after the last, the latest are therefore looked at
// again every recheckPeriod.
const (
	recheckPeriod = 200 * time.Millisecond
	settled       = time.Second
)

// event is a change, written for all followers. One of nothing is a mark that keeps the collection from being
// empty, without which a cursor could not wait.
type event struct {
	ID     bson.ObjectID `bson:"_id"`
	At     time.Time     `bson:"at"`
	Change `bson:",inline"`
}

// publish writes an event, where the database does not tell by itself. It is a signal only, so that an error is
// logged and not returned.
func (s *Store) publish(ctx context.Context, c Change) {
	if s.hearing.tellsChanges() || s.streams.Load() {
		return
	}
	if _, err := s.db.Collection(eventsName).InsertOne(ctx, event{bson.NewObjectID(), time.Now(), c}); err != nil {
		slog.Warn("event was not written", "error", err)
	}
}

// tail gives the changes that are written from now on, until something fails or stop is called; then the channel is
// closed.
func (s *Store) tail(ctx context.Context) (changes <-chan Change, stop func(), err error) {
	cursor, err := s.waitingCursor(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	out, events := make(chan Change), make(chan event)
	go func() {
		defer close(out)
		s.pass(ctx, events, out)
		cancel()
		for range events { // until nobody uses the cursor
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = cursor.Close(closing)
	}()
	go func() {
		defer close(events)
		for {
			e, ok, err := next(ctx, cursor)
			if err != nil || ctx.Err() != nil {
				return
			}
			if !ok {
				continue
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, func() {
		cancel()
		for range out {
		}
	}, nil
}

// pass passes on each event once, whether or not it came from the cursor.
func (s *Store) pass(ctx context.Context, events <-chan event, out chan<- Change) {
	known := map[bson.ObjectID]time.Time{}
	tell := func(e event) {
		if _, again := known[e.ID]; again {
			return
		}
		known[e.ID] = time.Now()
		select {
		case out <- e.Change:
		case <-ctx.Done():
		}
	}
	recheck := time.NewTimer(0)
	defer recheck.Stop()
	latest := time.Now()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			tell(e)
			if time.Since(latest) > settled {
				recheck.Reset(recheckPeriod)
			}
			latest = time.Now()
		case <-recheck.C:
			again, err := s.eventsSince(ctx, time.Now().Add(-overlap))
			if err != nil {
				return
			}
			for _, e := range again {
				tell(e)
			}
			maps.DeleteFunc(known, func(_ bson.ObjectID, at time.Time) bool { return time.Since(at) > 2*overlap })
			if time.Since(latest) < settled {
				recheck.Reset(recheckPeriod)
			}
		case <-ctx.Done():
			return
		}
	}
}

// waitingCursor opens a cursor that waits at the end of the events.
func (s *Store) waitingCursor(ctx context.Context) (*mongo.Cursor, error) {
	events := s.db.Collection(eventsName)
	if _, err := events.InsertOne(ctx, event{ID: bson.NewObjectID(), At: time.Now()}); err != nil {
		return nil, asked("marking the events", err)
	}
	// FerretDB closes a cursor whose first batch is not full, so that batch is of one.
	opt := options.Find().SetCursorType(options.TailableAwait).SetBatchSize(1).SetMaxAwaitTime(time.Second)
	cursor, err := events.Find(ctx, bson.D{}, opt)
	if err != nil {
		return nil, asked("tailing the events", err)
	}
	cursor.SetBatchSize(eventsMost)
	return cursor, nil
}

// eventsSince returns the events that are kept and not older than that.
func (s *Store) eventsSince(ctx context.Context, since time.Time) ([]event, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cursor, err := s.db.Collection(eventsName).Find(ctx, bson.D{{Key: "at", Value: bson.D{{Key: "$gte", Value: since}}}})
	if err != nil {
		return nil, asked("reading the events", err)
	}
	var events []event
	err = cursor.All(ctx, &events)
	return events, asked("reading the events", err)
}

// TrimEvents removes the oldest events where there are more than are kept, for a database that keeps no bound by itself
// as MongoDB does. A follower whose place is removed under it starts over, so that half of them stay, and those that
// may still have to be looked at again.
func (s *Store) TrimEvents(ctx context.Context) error {
	events := s.db.Collection(eventsName)
	n, err := events.CountDocuments(ctx, bson.D{})
	if err != nil || n <= eventsMost {
		return asked("counting events", err)
	}
	opt := options.Find().SetSort(bson.D{{Key: "at", Value: 1}}).SetLimit(n - eventsMost/2).SetProjection(bson.D{{Key: "_id", Value: 1}})
	cursor, err := events.Find(ctx, bson.D{{Key: "at", Value: bson.D{{Key: "$lt", Value: time.Now().Add(-settled)}}}}, opt)
	if err != nil {
		return asked("reading old events", err)
	}
	var old []event
	if err := cursor.All(ctx, &old); err != nil {
		return asked("reading old events", err)
	}
	ids := make(bson.A, len(old))
	for i, e := range old {
		ids[i] = e.ID
	}
	_, err = events.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	return asked("removing old events", err)
}

// errCursorGone means that the events before a follower's place are no more.
var errCursorGone = errors.New("the cursor ended")

// next waits for one event, at most as long as the cursor waits. ok is false where none came.
func next(ctx context.Context, cursor *mongo.Cursor) (e event, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // a database that hangs is lost as well
	defer cancel()
	if !cursor.TryNext(ctx) {
		if err := cursor.Err(); err != nil {
			return event{}, false, asked("waiting for events", err)
		}
		if cursor.ID() == 0 {
			return event{}, false, errCursorGone
		}
		return event{}, false, nil
	}
	if err := cursor.Decode(&e); err != nil {
		return event{}, false, fmt.Errorf("store: event: %w", err)
	}
	return e, true, nil
}
