package store

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	commands "go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/drivertest"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"
)

// What is acknowledged is on most servers, and a write that a fail-over interrupts is tried again, unless the address says
// otherwise.
func TestClientOptions(t *testing.T) {
	opt := clientOptions("mongodb://a,b,c/x?replicaSet=rs")
	if w := opt.WriteConcern; w == nil || w.W != writeconcern.WCMajority || !*opt.RetryWrites {
		t.Errorf("got %+v, retried %v; want majority and true", w, *opt.RetryWrites)
	}
	opt = clientOptions("mongodb://a,b,c/x?replicaSet=rs&w=1&retryWrites=false")
	if w := opt.WriteConcern; w == nil || w.W != 1 || *opt.RetryWrites {
		t.Errorf("got %+v, retried %v; want what the address says", w, *opt.RetryWrites)
	}
}

// at is a store at a server that answers this, one command after the other.
func at(t *testing.T, answers ...bson.D) *Store {
	t.Helper()
	return with(t, &options.ClientOptions{}, answers...)
}

func with(t *testing.T, opt *options.ClientOptions, answers ...bson.D) *Store {
	t.Helper()
	if err := xoptions.SetInternalClientOptions(opt, "deployment", drivertest.NewMockDeployment(answers...)); err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(opt)
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{client: client, db: client.Database("x")}
	s.hearing.sessions, s.hearing.subscribers = map[string]Session{}, map[chan Change]struct{}{}
	return s
}

// A session is read where it is written and as no fail-over takes it back, whatever the address says of other reads, and
// it is written to most servers.
func TestAtOnce(t *testing.T) {
	var sent []bson.Raw
	opt := options.Client().SetReadPreference(readpref.Secondary()).SetWriteConcern(writeconcern.Majority())
	opt.SetMonitor(&commands.CommandMonitor{Started: func(_ context.Context, e *commands.CommandStartedEvent) { sent = append(sent, e.Command) }})
	found := bson.D{{Key: "_id", Value: "k"}, {Key: "expiresAt", Value: time.Now().Add(time.Hour)}}
	s := with(t, opt,
		bson.D{{Key: "ok", Value: 1}, {Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "x.sessions"}, {Key: "firstBatch", Value: bson.A{found}}}}},
		bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 1}})
	if _, err := s.StoredSession(t.Context(), "k", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveSession(t.Context(), Session{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 2 {
		t.Fatalf("got %d commands, want 2", len(sent))
	}
	read, written := sent[0], sent[1]
	if level := read.Lookup("readConcern", "level").String(); level != `"majority"` || read.Lookup("$readPreference", "mode").String() == `"secondary"` {
		t.Errorf("read by %v, want from the primary what most servers have", read)
	}
	if w := written.Lookup("writeConcern", "w").String(); w != `"majority"` {
		t.Errorf("written by %v, want to most servers", written)
	}
}

func TestHasStreams(t *testing.T) {
	for _, tt := range []struct {
		hello bson.D
		want  bool
	}{
		{bson.D{{Key: "ok", Value: 1}, {Key: "setName", Value: "rs0"}}, true},
		{bson.D{{Key: "ok", Value: 1}, {Key: "msg", Value: "isdbgrid"}}, true},
		{bson.D{{Key: "ok", Value: 1}}, false},
		{bson.D{{Key: "ok", Value: 0}, {Key: "errmsg", Value: "no"}}, false},
	} {
		if got := at(t, tt.hello).hasStreams(t.Context()); got != tt.want {
			t.Errorf("hello says %v: got %v, want %v", tt.hello, got, tt.want)
		}
	}
}

// A stream tells of products that were saved and sessions that ended, and of nothing else.
func TestStream(t *testing.T) {
	p := Product{ID: bson.NewObjectID(), Title: "T", Price: 1, TimeStamp: time.Now().Truncate(time.Millisecond).UTC()}
	change := func(operation, collection string, key, document any) bson.D {
		return bson.D{
			{Key: "_id", Value: bson.D{{Key: "_data", Value: "token"}}},
			{Key: "operationType", Value: operation},
			{Key: "ns", Value: bson.D{{Key: "db", Value: "x"}, {Key: "coll", Value: collection}}},
			{Key: "documentKey", Value: bson.D{{Key: "_id", Value: key}}},
			{Key: "fullDocument", Value: document},
		}
	}
	batch := func(name string, id int64, events ...bson.D) bson.D {
		return bson.D{{Key: "ok", Value: 1}, {Key: "cursor", Value: bson.D{{Key: "id", Value: id}, {Key: "ns", Value: "x.$cmd.aggregate"}, {Key: name, Value: events}}}}
	}
	s := at(t,
		batch("firstBatch", 7, change("insert", ProductsName, p.ID, p), change("insert", SessionsName, "k", bson.D{})),
		batch("nextBatch", 7, change("delete", SessionsName, "k", nil)), batch("nextBatch", 0))
	changes, stop, _, err := s.stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if c := <-changes; c.Product == nil || *c.Product != p {
		t.Errorf("first: got %+v, want %+v", c.Product, p)
	}
	if c := <-changes; c.Ended != "k" {
		t.Errorf("second: got %+v, want the end of k", c)
	}
	if c, more := <-changes; more {
		t.Errorf("then: got %+v, want the end", c)
	}
}

// Where the server says that it replicates and has no streams nevertheless, or none for this user, it is known.
func TestStreamRefused(t *testing.T) {
	s := at(t, bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 40573}, {Key: "errmsg", Value: "$changeStream is only supported on replica sets"}})
	if _, _, refused, err := s.stream(t.Context()); !refused || err == nil {
		t.Errorf("got refused %v, %v; want true and an error", refused, err)
	}
}
