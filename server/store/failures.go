package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// failure counts what failed under one key, until it expires.
type failure struct {
	Key       string    `bson:"_id"`
	Count     int       `bson:"count"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

// Failures returns how often each key failed.
func (s *Store) Failures(ctx context.Context, keys ...string) ([]int, error) {
	counts := make([]int, len(keys))
	for i, key := range keys { // each by its _id alone, which the embedded database finds at once
		var found failure
		err := s.db.Collection(failuresName).FindOne(ctx, byKey(key)).Decode(&found)
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, asked("reading failures", err)
		}
		counts[i] = found.Count
	}
	return counts, nil
}

// CountFailure adds one to each key; the counts are removed some time after until.
func (s *Store) CountFailure(ctx context.Context, until time.Time, keys ...string) error {
	change := bson.D{
		{Key: "$inc", Value: bson.D{{Key: "count", Value: 1}}},
		{Key: "$set", Value: bson.D{{Key: "expiresAt", Value: until}}},
	}
	for _, key := range keys {
		_, err := s.db.Collection(failuresName).UpdateOne(ctx, byKey(key), change, options.UpdateOne().SetUpsert(true))
		if mongo.IsDuplicateKeyError(err) { // two were the first: now it is there
			_, err = s.db.Collection(failuresName).UpdateOne(ctx, byKey(key), change)
		}
		if err != nil {
			return asked("counting a failure", err)
		}
	}
	return nil
}
