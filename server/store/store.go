// Package store keeps what must outlive a request, on MongoDB or on the embedded database, which speaks its
// protocol: users, products, sessions and events. One code path serves both.
//
//   - Open makes a Store. It does not wait for the database: indexes and collections are made in the
//     background, as soon as it answers, safely by many processes at once.
//   - Users, sessions and products are methods of Store with a context that bounds how long they may take.
//   - Follow delivers each product exactly once, whichever process saved it, and catches up after the database
//     was gone.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// DatabaseName is the database where the address names none.
const DatabaseName = "balanceo"

// Collections.
const (
	UsersName    = "usuarios"
	ProductsName = "productos"
	SessionsName = "sessions"
	eventsName   = "events"
	checksName   = "checks"
	failuresName = "failures"
	newsName     = "news"
	NewestName   = "newest" // products, where the process of the database keeps them apart
)

// Indexed are the collections that grow, which exist once a database is prepared.
func Indexed() []string { return []string{UsersName, ProductsName, SessionsName, failuresName} }

// Expiring are those whose documents have a time from which on they count no more, expiresAt.
func Expiring() []string { return []string{SessionsName, failuresName} }

// purgePeriod is how often sessions that have ended are removed, at least: MongoDB could do it by itself, the embedded
// database has no such index and looks through all of them. It takes purgeShare of the time at most.
const (
	purgePeriod = time.Minute
	purgeShare  = 0.02
)

// ErrUnavailable is returned, wrapped, by whatever could not be done because the database did not answer in
// time.
var ErrUnavailable = errors.New("database unavailable")

// Store is a connection to the database. Its methods may be called from any goroutine.
type Store struct {
	client    *mongo.Client
	db        *mongo.Database
	host      string // of the database
	hearing   hearing
	available atomic.Bool
	streams   atomic.Bool             // the database tells changes as a stream
	refusing  atomic.Pointer[refusal] // nil: writes are taken, as far as is known
	prepared  chan struct{}           // closed once collections and indexes exist
	stop      context.CancelFunc
	work      sync.WaitGroup
}

// CheckURL tells what is wrong with the address of a database, nil if nothing. It does not repeat the address, which
// may have a password in it.
func CheckURL(url string) error {
	if !strings.HasPrefix(url, "mongodb://") && !strings.HasPrefix(url, "mongodb+srv://") {
		return errors.New("an address such as mongodb://host:port/name is accepted")
	}
	if _, err := connstring.Parse(url); err != nil {
		return fmt.Errorf("address of the database: %w", err)
	}
	return nil
}

// Open connects to the MongoDB at url. An error means that url can't be used at all; a database that does not
// answer is none.
func Open(url string) (*Store, error) {
	cs, err := connstring.ParseAndValidate(url)
	if err != nil {
		return nil, fmt.Errorf("store: address of the database: %w", err)
	}
	name := cs.Database
	if name == "" {
		name = DatabaseName
	}
	client, err := mongo.Connect(clientOptions(url))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{client: client, db: client.Database(name), prepared: make(chan struct{})}
	if len(cs.Hosts) > 0 {
		if s.host, _, err = net.SplitHostPort(cs.Hosts[0]); err != nil { // without a port
			s.host = cs.Hosts[0]
		}
	}
	s.hearing.sessions, s.hearing.subscribers = map[string]Session{}, map[chan Change]struct{}{}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.work.Go(func() { s.watch(ctx) })
	s.work.Go(func() { s.hear(ctx) })
	s.work.Go(func() { s.purge(ctx, func() bool { return !s.hearing.isTended() }) })
	return s, nil
}

// Close ends what Open started and the connections.
func (s *Store) Close(ctx context.Context) error {
	s.stop()
	s.work.Wait()
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("store: closing: %w", err)
	}
	return nil
}

// Prepared is closed once collections and indexes exist.
func (s *Store) Prepared() <-chan struct{} { return s.prepared }

// Purge removes what has expired, now and then, until ctx ends. It is for the process of the embedded database.
func (s *Store) Purge(ctx context.Context) { s.purge(ctx, func() bool { return true }) }

// purge does so while it is this process's to do.
func (s *Store) purge(ctx context.Context, ours func() bool) {
	for pause := purgePeriod; ; {
		if wait(ctx, pause); ctx.Err() != nil {
			return
		}
		began := time.Now()
		if ours() {
			s.purgeOnce(ctx)
		}
		pause = max(purgePeriod, time.Duration(float64(time.Since(began))/purgeShare))
	}
}

func (s *Store) purgeOnce(ctx context.Context) {
	try, cancel := context.WithTimeout(ctx, purgePeriod)
	defer cancel()
	if err := s.purgeSessions(try, time.Now()); err != nil && ctx.Err() == nil {
		slog.Warn("what has expired was not removed", "error", err)
	}
}

// prepare makes the collections and indexes where they are missing. Several processes may do it at once.
func (s *Store) prepare(ctx context.Context) error {
	s.streams.Store(s.hasStreams(ctx))
	if err := s.create(ctx, eventsName, options.CreateCollection().SetCapped(true).SetSizeInBytes(1<<20).SetMaxDocuments(eventsMost)); err != nil {
		return err
	}
	for _, index := range []struct {
		collection string
		keys       bson.D
		unique     bool
	}{
		{UsersName, bson.D{{Key: "email", Value: 1}}, true},
		{ProductsName, bson.D{{Key: "timeStamp", Value: -1}}, false},
		{SessionsName, bson.D{{Key: "expiresAt", Value: 1}}, false},
		{failuresName, bson.D{{Key: "expiresAt", Value: 1}}, false},
	} {
		opt := options.Index()
		if index.unique {
			opt.SetUnique(true)
		}
		if _, err := s.db.Collection(index.collection).Indexes().CreateOne(ctx, mongo.IndexModel{Keys: index.keys, Options: opt}); err != nil {
			return fmt.Errorf("index on %q: %w", index.collection, err)
		}
	}
	return nil
}

// create makes a collection if it is missing.
func (s *Store) create(ctx context.Context, name string, opt *options.CreateCollectionOptionsBuilder) error {
	err := s.db.CreateCollection(ctx, name, opt)
	var exists mongo.CommandError
	if err != nil && (!errors.As(err, &exists) || exists.Name != "NamespaceExists") {
		return fmt.Errorf("collection %q: %w", name, err)
	}
	return nil
}

// asked wraps an error of the driver. Whatever it was, the database did not do what it was asked and may do so
// later, so that it counts as unavailable; but only an error that a database that is away does not explain is
// logged.
func asked(what string, err error) error {
	if err == nil {
		return nil
	}
	if !mongo.IsTimeout(err) && !mongo.IsNetworkError(err) && !errors.Is(err, context.Canceled) && !errors.As(err, new(topology.ServerSelectionError)) {
		slog.Error("unexpected answer of the database", "asked", what, "error", err)
	}
	return fmt.Errorf("store: %s: %w: %w", what, ErrUnavailable, err)
}
