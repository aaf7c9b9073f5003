package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"balanceo/server/news"
	"balanceo/server/store"
)

// changes sees what is written into the database, whoever writes it, and tells the listeners of a broker: SQLite calls
// back before each row that it changes and before each commit.
type changes struct {
	file   string // of the database
	broker *news.Broker
	port   int
	store  atomic.Pointer[store.Store] // reads what was committed; nil: nobody listens yet
	ended  atomic.Bool
	newest []store.Product // nil: not known; used in the broker's order only
}

// visibleWait is how long a commit may take, from the callback before it until it can be read.
const visibleWait = 5 * time.Second

// errUnseen means that a change was about to be committed and can't be seen: it is not known what happened.
var errUnseen = errors.New("not seen after its commit")

// watchChanges sees every connection that is opened from now on to the database in dir. The broker listens on the
// host of the database, on a port of its own; 0: any free one.
func watchChanges(dir, listen string, port int) (*changes, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("database on %s: %w", listen, err)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // returns at once
	if err != nil {
		return nil, fmt.Errorf("database: telling changes: %w", err)
	}
	c := &changes{file: filepath.Join(dir, store.DatabaseName+".sqlite"), port: ln.Addr().(*net.TCPAddr).Port}
	c.broker = news.NewBroker(ln, c.greet)
	sqlite.RegisterConnectionHook(c.connected) // for good: the library takes none back
	return c, nil
}

// announce says where changes are told, once s can read them.
func (c *changes) announce(ctx context.Context, s *store.Store) error {
	c.store.Store(s)
	return s.Announce(ctx, c.port, c.broker.Token())
}

func (c *changes) close() {
	c.ended.Store(true)
	_ = c.broker.Close()
}

// greet is what a listener is told first: the newest products. Nil where they can't be had; then it asks for them.
func (c *changes) greet() []byte {
	if s := c.store.Load(); c.newest == nil && s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), visibleWait)
		defer cancel()
		var err error
		if c.newest, err = s.Newest(ctx, store.NewestTold); err != nil {
			c.newest = nil
		}
	}
	if c.newest == nil {
		return nil
	}
	greeting, err := bson.Marshal(store.Greeting{Newest: c.newest})
	if err != nil {
		return nil
	}
	return greeting
}

// connected has SQLite call back for a connection. What it has changed is told when it commits. A connection is
// used by one goroutine at a time.
func (c *changes) connected(conn sqlite.ExecQuerierContext, dsn string) error {
	path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
	if path != c.file || c.ended.Load() {
		return nil
	}
	hooks, ok := conn.(sqlite.HookRegisterer)
	if !ok {
		return fmt.Errorf("database: a connection of type %T tells no changes", conn)
	}
	var open []func() ([]byte, error) // changes of the transaction
	hooks.RegisterPreUpdateHook(func(row sqlite.SQLitePreUpdateData) {
		if change := c.change(row); change != nil {
			open = append(open, change)
		}
	})
	hooks.RegisterCommitHook(func() int32 {
		for _, change := range open {
			c.broker.Tell(change)
		}
		open = nil
		return 0
	})
	hooks.RegisterRollbackHook(func() { open = nil })
	return nil
}

// change is what is to be told of a row, once it is committed; nil: nothing.
func (c *changes) change(row sqlite.SQLitePreUpdateData) func() ([]byte, error) {
	product, session := isTable(row.TableName, store.ProductsName), isTable(row.TableName, store.SessionsName)
	old := row.Op == sqlite3.SQLITE_DELETE
	switch {
	case product && row.Op != sqlite3.SQLITE_INSERT: // by somebody who tidies up
		return func() ([]byte, error) {
			c.newest = nil
			return nil, nil
		}
	case product && !old, session && old:
	default:
		return nil
	}
	// The one column of these tables holds a document as JSON, a time as milliseconds.
	columns := make([]any, 1)
	read := row.New
	if old {
		read = row.Old
	}
	err := read(columns...)
	var document struct {
		ID        string `json:"_id"`
		ExpiresAt int64  `json:"expiresAt"`
	}
	if err == nil {
		text, _ := columns[0].(string)
		err = json.Unmarshal([]byte(text), &document)
	}
	if err != nil {
		return func() ([]byte, error) { return nil, fmt.Errorf("row of %s: %w", row.TableName, err) }
	}
	switch {
	case !old:
		return func() ([]byte, error) { return c.product(document.ID) }
	case document.ExpiresAt <= time.Now().UnixMilli():
		return nil // nobody accepts it any more
	}
	return func() ([]byte, error) { return c.ending(document.ID) }
}

// isTable tells whether a table of SQLite holds a collection: its name has eight digits more.
func isTable(table, collection string) bool {
	rest, ok := strings.CutPrefix(table, collection+"_")
	return ok && len(rest) == 8
}

func (c *changes) product(hex string) ([]byte, error) {
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		return nil, fmt.Errorf("product %q: %w", hex, err)
	}
	var saved store.Product
	err = c.see(func(ctx context.Context, s *store.Store) (bool, error) {
		saved, err = s.Product(ctx, id)
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	if c.newest != nil {
		c.newest = store.AmongNewest(c.newest, saved)
	}
	return bson.Marshal(store.Change{Product: &saved})
}

func (c *changes) ending(key string) ([]byte, error) {
	err := c.see(func(ctx context.Context, s *store.Store) (bool, error) {
		_, err := s.StoredSession(ctx, key, time.Time{})
		return errors.Is(err, store.ErrNotFound), err
	})
	if err != nil {
		return nil, err
	}
	return bson.Marshal(store.Change{Ended: key})
}

// see waits until a change that is being committed can be seen.
func (c *changes) see(seen func(context.Context, *store.Store) (bool, error)) error {
	s := c.store.Load()
	if s == nil {
		return nil // nobody listens
	}
	ctx, cancel := context.WithTimeout(context.Background(), visibleWait)
	defer cancel()
	for pause := 50 * time.Microsecond; !c.ended.Load(); pause = min(2*pause, 20*time.Millisecond) {
		ok, err := seen(ctx, s)
		if ok {
			return nil
		}
		if ctx.Err() != nil {
			slog.Warn("a change is not told: all listeners start over", "error", err)
			break
		}
		time.Sleep(pause)
	}
	return errUnseen
}
