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
	var open []change // of the transaction
	hooks.RegisterPreUpdateHook(func(row sqlite.SQLitePreUpdateData) {
		if changed, told := changeOf(row); told {
			open = append(open, changed)
		}
	})
	hooks.RegisterCommitHook(func() int32 {
		if transaction := open; len(transaction) > 0 {
			c.broker.Tell(func() ([][]byte, error) { return c.tell(transaction) })
		}
		open = nil
		return 0
	})
	hooks.RegisterRollbackHook(func() { open = nil })
	return nil
}

// change is what is to be told of one row, once it is committed.
type change struct {
	store.Change       // empty where the newest products have changed in another way
	err          error // the row can't be read
}

// changeOf is what is to be told of a row; told is false for nothing.
func changeOf(row sqlite.SQLitePreUpdateData) (c change, told bool) {
	product, session := isTable(row.TableName, store.ProductsName), isTable(row.TableName, store.SessionsName)
	switch {
	case product && row.Op == sqlite3.SQLITE_INSERT:
		var p struct {
			ID        string  `json:"_id"`
			Title     string  `json:"title"`
			Price     float64 `json:"price"`
			Thumbnail string  `json:"thumbnail"`
			TimeStamp int64   `json:"timeStamp"`
		}
		err := document(row.New, &p)
		id, idErr := bson.ObjectIDFromHex(p.ID)
		if err = errors.Join(err, idErr); err != nil {
			slog.Warn("a product is not told: it is of another kind", "error", err)
			return change{}, true
		}
		c.Product = &store.Product{ID: id, Title: p.Title, Price: p.Price, Thumbnail: p.Thumbnail, TimeStamp: time.UnixMilli(p.TimeStamp).UTC()}
		return c, true
	case product:
		return change{}, true
	case session && row.Op == sqlite3.SQLITE_DELETE:
		var s struct {
			Key       string `json:"_id"`
			ExpiresAt int64  `json:"expiresAt"`
		}
		c.err = document(row.Old, &s)
		c.Ended = s.Key
		return c, c.err != nil || s.ExpiresAt > time.Now().UnixMilli() // nobody accepts one that has expired
	}
	return change{}, false
}

// document decodes a row. The one column of these tables holds a document as JSON, a time as milliseconds.
func document(read func(columns ...any) error, into any) error {
	columns := make([]any, 1)
	if err := read(columns...); err != nil {
		return err
	}
	text, _ := columns[0].(string)
	return json.Unmarshal([]byte(text), into)
}

// isTable tells whether a table of SQLite holds a collection: its name has eight digits more.
func isTable(table, collection string) bool {
	rest, ok := strings.CutPrefix(table, collection+"_")
	return ok && len(rest) == 8
}

// tell waits until a transaction can be seen, and returns what the listeners get of it.
func (c *changes) tell(transaction []change) (items [][]byte, err error) {
	if err := c.see(transaction); err != nil {
		return nil, err
	}
	for _, one := range transaction {
		switch {
		case one.err != nil:
			return nil, one.err
		case one.Change == store.Change{}:
			c.newest = nil
			continue
		case one.Product != nil && c.newest != nil:
			c.newest = store.AmongNewest(c.newest, *one.Product)
		}
		encoded, err := bson.Marshal(one.Change)
		if err != nil {
			return nil, err
		}
		items = append(items, encoded)
	}
	return items, nil
}

// see waits until the transaction, which was about to be committed, can be seen by everybody.
func (c *changes) see(transaction []change) error {
	s := c.store.Load()
	if s == nil {
		return nil // nobody listens yet
	}
	ctx, cancel := context.WithTimeout(context.Background(), visibleWait)
	defer cancel()
	for pause := 50 * time.Microsecond; !c.ended.Load(); pause = min(2*pause, 20*time.Millisecond) {
		var err error
		seen := true
		switch last := transaction[len(transaction)-1]; {
		case last.Product != nil:
			_, err = s.Product(ctx, last.Product.ID)
			seen = err == nil
		case last.Ended != "":
			_, err = s.StoredSession(ctx, last.Ended, time.Time{})
			seen = errors.Is(err, store.ErrNotFound)
		}
		if seen {
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
