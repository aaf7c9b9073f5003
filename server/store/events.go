package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// How many events stay. They are signals that are read within milliseconds; whoever was away for longer reads
// the products themselves. MongoDB bounds the collection by itself. The embedded database does not, and looks
// through all of it each time it polls for a follower, which is every 10 ms: there it is trimmed, to few.
const (
	eventsMost    = 1000
	eventsTrimmed = 32
)

// event is a signal to all followers: a product was saved, or a session ended. With neither it is a mark that
// keeps the collection from being empty, without which a cursor could not wait.
type event struct {
	ID      bson.ObjectID `bson:"_id"`
	At      time.Time     `bson:"at"`
	Product *Product      `bson:"product,omitempty"`
	Ended   string        `bson:"ended,omitempty"` // key of the session
}

// publish writes an event. It is a signal only, so that an error is logged and not returned.
func (s *Store) publish(ctx context.Context, e event) {
	if _, err := s.db.Collection(eventsName).InsertOne(ctx, e); err != nil {
		slog.Warn("event was not written", "error", err)
	}
}

// tail opens a cursor that waits at the end of the events.
func (s *Store) tail(ctx context.Context) (*mongo.Cursor, error) {
	events := s.db.Collection(eventsName)
	if _, err := events.InsertOne(ctx, event{ID: bson.NewObjectID(), At: time.Now()}); err != nil {
		return nil, asked("marking the events", err)
	}
	// The embedded database closes a cursor whose first batch is not full, so that batch is of one.
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
	cursor, err := s.db.Collection(eventsName).Find(ctx, bson.D{{Key: "at", Value: bson.D{{Key: "$gte", Value: since}}}})
	if err != nil {
		return nil, asked("reading the events", err)
	}
	var events []event
	err = cursor.All(ctx, &events)
	return events, asked("reading the events", err)
}

// TrimEvents removes the oldest events, for the process of the embedded database, which keeps no bound by itself as
// MongoDB does.
func (s *Store) TrimEvents(ctx context.Context) error {
	events := s.db.Collection(eventsName)
	n, err := events.CountDocuments(ctx, bson.D{})
	if err != nil {
		return asked("counting events", err)
	}
	if n <= eventsTrimmed {
		return nil
	}
	// A follower whose place is removed under it starts over, so half of them stay, and so does what may still
	// have to be looked at again.
	settledNow := bson.D{{Key: "at", Value: bson.D{{Key: "$lt", Value: time.Now().Add(-settled)}}}}
	opt := options.Find().SetSort(bson.D{{Key: "$natural", Value: 1}}).SetLimit(n - eventsTrimmed/2).SetProjection(bson.D{{Key: "_id", Value: 1}})
	cursor, err := events.Find(ctx, settledNow, opt)
	if err != nil {
		return asked("reading old events", err)
	}
	var old []struct {
		ID bson.ObjectID `bson:"_id"`
	}
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
