package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// Of several servers with the same data one takes the writes until another is chosen. What was acknowledged must not be
// lost with it, what was written must be seen at once by whoever asks, and who follows hears of changes from whichever
// is left. The embedded database is one server and takes no notice of all that.

// clientOptions are those of a database at url. What the url says goes first, but for what has to be seen at once.
func clientOptions(url string) *options.ClientOptions {
	opt := options.Client().ApplyURI(url).
		SetAppName("balanceo").
		SetConnectTimeout(time.Second).
		SetServerSelectionTimeout(time.Second).
		SetHeartbeatInterval(2 * time.Second).
		SetMaxPoolSize(32)
	if opt.WriteConcern == nil {
		opt.SetWriteConcern(writeconcern.Majority())
	}
	if opt.RetryWrites == nil {
		opt.SetRetryWrites(true)
	}
	return opt
}

// atOnce is a collection whose documents are seen as soon as they are written, and only those that no fail-over takes back.
func (s *Store) atOnce(name string) *mongo.Collection {
	return s.db.Collection(name, options.Collection().SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Majority()))
}

// hasStreams asks the database whether it can tell changes as a stream: one that replicates can.
func (s *Store) hasStreams(ctx context.Context) bool {
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"` // of a router before shards: isdbgrid
	}
	err := s.db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	return err == nil && (hello.SetName != "" || hello.Msg == "isdbgrid")
}

// streamed is what a stream tells of one change.
type streamed struct {
	Operation  string `bson:"operationType"`
	Collection struct {
		Name string `bson:"coll"`
	} `bson:"ns"`
	Key struct {
		ID bson.RawValue `bson:"_id"`
	} `bson:"documentKey"`
	Document bson.Raw `bson:"fullDocument"`
}

// change is it in our words; ok is false for what nobody has to hear of.
func (e *streamed) change() (c Change, ok bool) {
	switch {
	case e.Operation == "insert" && e.Collection.Name == ProductsName:
		c.Product = new(Product)
		if err := bson.Unmarshal(e.Document, c.Product); err != nil {
			slog.Error("a product of the stream can't be read", "error", err)
			return Change{}, false
		}
		return c, true
	case e.Operation == "delete" && e.Collection.Name == SessionsName:
		c.Ended, ok = e.Key.ID.StringValueOK()
	}
	return c, ok
}

// stream gives the changes from now on, from whichever server there is, until none is left or stop is called; then the
// channel is closed. An error of which refused is true means that this database has no streams for us.
func (s *Store) stream(ctx context.Context) (changes <-chan Change, stop func(), refused bool, err error) {
	of := func(operation, collection string) bson.D {
		return bson.D{{Key: "operationType", Value: operation}, {Key: "ns.coll", Value: collection}}
	}
	only := mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "$or", Value: bson.A{of("insert", ProductsName), of("delete", SessionsName)}}}}}}
	cursor, err := s.db.Watch(ctx, only, options.ChangeStream().SetMaxAwaitTime(time.Second))
	switch {
	case err != nil && errors.As(err, new(mongo.CommandError)) && !mongo.IsNetworkError(err) && !mongo.IsTimeout(err):
		slog.Info("the database tells no stream of changes, so they are written as events", "why", err)
		return nil, nil, true, err
	case err != nil:
		return nil, nil, false, asked("opening a stream of changes", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	out := make(chan Change)
	go func() {
		defer close(out)
		for cursor.Next(ctx) {
			var e streamed
			if err := cursor.Decode(&e); err != nil {
				slog.Error("a change of the stream can't be read", "error", err)
				continue
			}
			if c, ok := e.change(); ok {
				select {
				case out <- c:
				case <-ctx.Done():
				}
			}
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = cursor.Close(closing)
	}()
	return out, func() {
		cancel()
		for range out {
		}
	}, false, nil
}
