package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Session is what is kept of a session. Its key is not what the cookie holds but a digest of it, so that
// nobody who reads the database can use the sessions in it.
type Session struct {
	Key       string    `bson:"_id"`
	Data      []byte    `bson:"data"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

// Session returns the session that has the key and lives at the time now, or ErrNotFound.
//
// The key is all that is asked for, and the time is compared here: the embedded database finds a document at
// once by its _id alone, and looks through the whole collection where anything stands beside it.
func (s *Store) Session(ctx context.Context, key string, now time.Time) (Session, error) {
	var found Session
	err := s.db.Collection(sessionsName).FindOne(ctx, byKey(key)).Decode(&found)
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && !found.ExpiresAt.After(now) {
		return Session{}, ErrNotFound
	}
	return found, asked("reading a session", err)
}

// SaveSession saves a session that begins.
func (s *Store) SaveSession(ctx context.Context, begun Session) error {
	_, err := s.db.Collection(sessionsName).ReplaceOne(ctx, byKey(begun.Key), begun, options.Replace().SetUpsert(true))
	return asked("saving a session", err)
}

// RenewSession lets a session that lives now live until then. One that was ended meanwhile stays ended.
func (s *Store) RenewSession(ctx context.Context, key string, until time.Time) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "expiresAt", Value: until}}}}
	_, err := s.db.Collection(sessionsName).UpdateOne(ctx, byKey(key), set)
	return asked("renewing a session", err)
}

// EndSession removes a session and tells all followers, if there was one.
func (s *Store) EndSession(ctx context.Context, key string) error {
	result, err := s.db.Collection(sessionsName).DeleteOne(ctx, byKey(key))
	if err != nil {
		return asked("ending a session", err)
	}
	if result.DeletedCount > 0 {
		// The session has ended whether or not this arrives: each message of a websocket asks for it.
		s.publish(ctx, event{ID: bson.NewObjectID(), At: time.Now(), Ended: key})
	}
	return nil
}

// purgeSessions removes what ended before now, and counts of failures, too. Reading asks for the time as well, so
// this only saves space.
func (s *Store) purgeSessions(ctx context.Context, now time.Time) error {
	for _, name := range []string{sessionsName, failuresName} {
		if _, err := s.db.Collection(name).DeleteMany(ctx, bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: now}}}}); err != nil {
			return asked("removing what has expired from "+name, err)
		}
	}
	return nil
}

func byKey(key string) bson.D { return bson.D{{Key: "_id", Value: key}} }
