package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"balanceo/server/news"
)

// Change is what the process of the embedded database tells about one document; at most one is set.
type Change struct {
	Product *Product `bson:"product,omitempty"` // was saved
	Ended   string   `bson:"ended,omitempty"`   // key of a session that is no more
}

// NewestTold is how many of the newest products the database tells at the start.
const NewestTold = 200

// Greeting is what it tells then.
type Greeting struct {
	Newest []Product `bson:"newest"` // newest first
}

// AmongNewest puts a product in its place in a list of the newest, newest first, if it is not there.
func AmongNewest(list []Product, p Product) []Product {
	if slices.ContainsFunc(list, func(q Product) bool { return q.ID == p.ID }) {
		return list
	}
	at, _ := slices.BinarySearchFunc(list, p, func(a, b Product) int { return b.TimeStamp.Compare(a.TimeStamp) })
	list = slices.Insert(list, at, p)
	return list[:min(len(list), NewestTold)]
}

// tells is how the process of the embedded database says where it tells changes, and that it sees to what expires. No other
// database has that document. One that tells nowhere keeps the newest products in NewestName.
type tells struct {
	ID    string `bson:"_id"`
	Port  int    `bson:"port"` // on the database's host; 0: nowhere
	Token string `bson:"token"`
	Keyed bool   `bson:"keyed"` // every user is kept under the e-mail
}

const tellsID = "news"

// Announce says to every process that uses this database that changes are told at port; 0: nowhere. It is for the process
// of the database, which has to see every change.
func (s *Store) Announce(ctx context.Context, port int, token string) error {
	before, err := s.where(ctx)
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	keyed := before.Keyed
	if !keyed {
		err := s.db.Collection(UsersName).FindOne(ctx, bson.D{}).Err()
		if keyed = errors.Is(err, mongo.ErrNoDocuments); err != nil && !keyed {
			return asked("looking for users", err)
		}
	}
	_, err = s.db.Collection(newsName).ReplaceOne(ctx, byKey(tellsID), tells{tellsID, port, token, keyed}, options.Replace().SetUpsert(true))
	return asked("announcing where changes are told", err)
}

// hearing is what a process knows of the changes that the database tells.
type hearing struct {
	mu          sync.RWMutex
	told        bool           // this database tells its changes, as far as is known
	keyed       bool           // it has every user under the e-mail
	tended      bool           // its process removes what has expired
	listener    *news.Listener // nil: not connected
	subscribers map[chan Change]struct{}

	newest []Product // nil: not told

	// Sessions that were read while listening. turn counts what may have changed one of them: what was read
	// before does not go in after.
	sessions map[string]Session
	turn     uint64
}

// sessionsKept bounds the sessions in memory; beyond it any other one makes room.
const sessionsKept = 10_000

// errSilent means that this database does not tell its changes.
var errSilent = errors.New("the database does not tell its changes")

// where asks the database where it tells its changes, or returns errSilent.
func (s *Store) where(ctx context.Context) (tells, error) {
	var at tells
	err := s.db.Collection(newsName).FindOne(ctx, byKey(tellsID)).Decode(&at)
	tended := err == nil
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && at.Port == 0 {
		err = errSilent
	}
	s.hearing.mu.Lock()
	if err == nil || errors.Is(err, errSilent) {
		s.hearing.told, s.hearing.keyed, s.hearing.tended = err == nil, at.Keyed, tended
	}
	s.hearing.mu.Unlock()
	if err != nil && !errors.Is(err, errSilent) {
		return at, asked("asking where changes are told", err)
	}
	return at, err
}

// hear hears of changes, as soon as there is anything to hear, until the store is closed.
func (s *Store) hear(ctx context.Context) {
	select {
	case <-s.prepared:
	case <-ctx.Done():
		return
	}
	pause := pauses{}
	for ctx.Err() == nil {
		began := time.Now()
		err := s.hearOnce(ctx)
		if errors.Is(err, errSilent) {
			wait(ctx, sweepPeriod)
			continue
		}
		if ctx.Err() == nil {
			slog.Debug("no changes are heard", "error", err)
		}
		pause.wait(ctx, time.Since(began))
	}
}

// hearOnce listens until the connection ends.
func (s *Store) hearOnce(ctx context.Context) error {
	try, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	at, err := s.where(try)
	if err != nil {
		return err
	}
	l, err := news.Listen(try, net.JoinHostPort(s.host, strconv.Itoa(at.Port)), at.Token)
	if err != nil {
		return err
	}
	s.hearing.connect(l)
	defer s.hearing.connect(nil)
	return l.Run(ctx, s.hearing.take)
}

// connect begins anew: what was known before may have changed unheard.
func (h *hearing) connect(l *news.Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listener = l
	h.newest = nil
	if l != nil && l.Greeting != nil {
		var g Greeting
		if err := bson.Unmarshal(l.Greeting, &g); err != nil {
			slog.Error("the newest products can't be read", "error", err)
		} else {
			h.newest = slices.Grow(g.Newest, 1) // not nil
		}
	}
	h.turn++
	clear(h.sessions)
	for c := range h.subscribers {
		h.end(c)
	}
}

// take takes in a change.
func (h *hearing) take(item []byte) {
	var c Change
	if err := bson.Unmarshal(item, &c); err != nil {
		slog.Error("a change can't be read", "error", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.Ended != "" {
		h.turn++
		delete(h.sessions, c.Ended)
	}
	if c.Product != nil && h.newest != nil {
		h.newest = AmongNewest(h.newest, *c.Product)
	}
	for out := range h.subscribers {
		select {
		case out <- c:
		default: // it is too slow, and starts over
			h.end(out)
		}
	}
}

// end ends a subscription; h.mu is held.
func (h *hearing) end(out chan Change) {
	delete(h.subscribers, out)
	close(out)
}

// subscribe returns a channel of all changes from now on, and the newest products until now, if they are told. The
// channel is closed when the next one may not come.
func (h *hearing) subscribe() (changes <-chan Change, newest []Product, stop func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener == nil {
		return nil, nil, nil, fmt.Errorf("%w: no connection for news yet", ErrUnavailable)
	}
	out := make(chan Change, 1024)
	h.subscribers[out] = struct{}{}
	return out, slices.Clone(h.newest), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, open := h.subscribers[out]; open {
			h.end(out)
		}
	}, nil
}

// tellsChanges tells whether the database is known to tell its changes by itself.
func (h *hearing) tellsChanges() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.told
}

// isTended tells whether a process is known to remove what has expired.
func (h *hearing) isTended() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.tended
}

// keepsNewest tells whether the newest products are known to be in a collection of their own.
func (h *hearing) keepsNewest() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.tended && !h.told
}

func (h *hearing) usersKeyed() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.keyed
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
