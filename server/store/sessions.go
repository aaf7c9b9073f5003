package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"balanceo/server/news"
)

// Session is what is kept of a session. Its key is not what the cookie holds but a digest of it, so that
// nobody who reads the database can use the sessions in it.
type Session struct {
	Key       string    `bson:"_id"`
	Data      []byte    `bson:"data"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

// Session returns the session that has the key and lives at the time now, or ErrNotFound. It comes from the memory
// of this process where the database tells its changes and this process is known to have heard them all, so that a
// session that was ended anywhere is not found any more.
func (s *Store) Session(ctx context.Context, key string, now time.Time) (Session, error) {
	found, turn, ok := s.hearing.session(key, now)
	if ok {
		return found, nil
	}
	found, err := s.StoredSession(ctx, key, now)
	if err == nil {
		s.hearing.keep(found, turn)
	}
	return found, err
}

// StoredSession is Session from the database itself, with the end that other processes may have given it.
//
// The key is all that is asked for, and the time is compared here: the embedded database finds a document at
// once by its _id alone, and looks through the whole collection where anything stands beside it.
func (s *Store) StoredSession(ctx context.Context, key string, now time.Time) (Session, error) {
	var found Session
	err := s.atOnce(SessionsName).FindOne(ctx, byKey(key)).Decode(&found)
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && !found.ExpiresAt.After(now) {
		return Session{}, ErrNotFound
	}
	return found, asked("reading a session", err)
}

// SaveSession saves a session that begins.
func (s *Store) SaveSession(ctx context.Context, begun Session) error {
	_, err := s.atOnce(SessionsName).ReplaceOne(ctx, byKey(begun.Key), begun, options.Replace().SetUpsert(true))
	return asked("saving a session", err)
}

// RenewSession lets a session that lives now live until then. One that was ended meanwhile stays ended.
func (s *Store) RenewSession(ctx context.Context, key string, until time.Time) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "expiresAt", Value: until}}}}
	_, err := s.atOnce(SessionsName).UpdateOne(ctx, byKey(key), set)
	if err == nil {
		s.hearing.renewed(key, until)
	}
	return asked("renewing a session", err)
}

// EndSession removes a session. When it has returned without an error, no process accepts the session any more, and
// neither was there one. All followers are told.
func (s *Store) EndSession(ctx context.Context, key string) error {
	result, err := s.atOnce(SessionsName).DeleteOne(ctx, byKey(key))
	if err != nil {
		return asked("ending a session", err)
	}
	// Also where it is gone already: somebody else may have removed it just now. That may take as long as a lease lasts,
	// beside what the database took.
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*news.Life)
	defer cancel()
	if err := s.settle(settling, time.Now()); err != nil {
		return err
	}
	if result.DeletedCount > 0 {
		// The session has ended whether or not this arrives: each message of a websocket asks for it.
		s.publish(ctx, Change{Ended: key})
	}
	return nil
}

// purgeSessions removes what ended before now, and counts of failures, too. Reading asks for the time as well, so
// this only saves space.
func (s *Store) purgeSessions(ctx context.Context, now time.Time) error {
	for _, name := range Expiring() {
		if _, err := s.db.Collection(name).DeleteMany(ctx, bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: now}}}}); err != nil {
			return asked("removing what has expired from "+name, err)
		}
	}
	return nil
}

func byKey(key string) bson.D { return bson.D{{Key: "_id", Value: key}} }
