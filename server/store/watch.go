package store

import (
	"context"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A database is asked whether it answers every pingPeriod, and every second while it does not.
const pingPeriod = 2 * time.Second

// Whether a database that answers also writes is tried every writePeriod, and every second while it does not.
const (
	writePeriod = 5 * time.Second
	writeLimit  = 2 * time.Second
)

// State is what is known of a database. None of them is a reason to take a process out of service: whatever needs
// no database goes on, and a new process would find the same one.
type State string

// The states.
const (
	Available   State = "available"
	Unavailable State = "unavailable"    // does not answer
	Refusing    State = "refuses writes" // answers, but writes fail
)

// State tells how the database was when it was asked last, which is about every two seconds.
func (s *Store) State() State {
	switch {
	case !s.available.Load():
		return Unavailable
	case s.refusing.Load() != nil:
		return Refusing
	}
	return Available
}

// refusal is a database's refusal to write.
type refusal struct {
	since time.Time
	err   error
}

// Refusal tells since when writes have failed, and why; err is nil where they don't.
func (s *Store) Refusal() (since time.Time, err error) {
	if r := s.refusing.Load(); r != nil {
		return r.since, r.err
	}
	return time.Time{}, nil
}

// watch prepares the database once it answers and then keeps asking whether it does, and whether it writes.
func (s *Store) watch(ctx context.Context) {
	prepared, reported := false, false
	written := time.Time{}
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		var err error
		if prepared {
			err = s.client.Ping(try, nil)
		} else if err = s.prepare(try); err == nil {
			prepared = true
			close(s.prepared)
		}
		cancel()
		s.available.Store(err == nil)
		if err != nil && !reported && ctx.Err() == nil {
			slog.Warn("database does not answer", "error", err)
		}
		if err == nil && reported {
			slog.Info("database answers again")
		}
		reported = err != nil
		if err == nil && (s.refusing.Load() != nil || time.Since(written) > writePeriod) {
			s.tryWrite(ctx)
			written = time.Now()
		}
		period := pingPeriod
		if s.State() != Available {
			period = time.Second
		}
		wait(ctx, period)
	}
}

// tryWrite finds out whether the database writes.
func (s *Store) tryWrite(ctx context.Context) {
	try, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: time.Now()}}}}
	_, err := s.db.Collection(checksName).UpdateOne(try, byKey("write"), set, options.UpdateOne().SetUpsert(true))
	before := s.refusing.Load()
	switch {
	case ctx.Err() != nil:
	case err == nil || mongo.IsDuplicateKeyError(err): // another process was first
		if before != nil {
			slog.Info("database writes again", "after", time.Since(before.since).Round(time.Second))
		}
		s.refusing.Store(nil)
	case before != nil:
		s.refusing.Store(&refusal{before.since, err})
	default:
		slog.Error("database refuses writes", "error", err)
		s.refusing.Store(&refusal{time.Now(), err})
	}
}
