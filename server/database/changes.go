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
	rows   atomic.Pointer[rows] // reads what was committed; nil: nobody listens yet
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

// announce says where changes are told, once the collections of s exist.
func (c *changes) announce(ctx context.Context, s *store.Store) error {
	r, err := openRows(c.file)
	if err != nil {
		return err
	}
	c.rows.Store(r)
	if err := indexByID(ctx, c.file, r, store.Indexed()...); err != nil {
		return err
	}
	return s.Announce(ctx, c.port, c.broker.Token())
}

func (c *changes) close() {
	c.ended.Store(true)
	_ = c.broker.Close()
	if r := c.rows.Load(); r != nil {
		r.close()
	}
}

// greet is what a listener is told first: the newest products. Nil where they can't be had; then it asks for them.
func (c *changes) greet() []byte {
	if r := c.rows.Load(); c.newest == nil && r != nil {
		ctx, cancel := context.WithTimeout(context.Background(), visibleWait)
		defer cancel()
		var err error
		if c.newest, err = r.newest(ctx, store.NewestTold); err != nil {
			slog.Warn("the newest products are not told", "error", err)
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
		p, err := productOf(text(row.New))
		if err != nil {
			slog.Warn("a product is not told: it is of another kind", "error", err)
			return change{}, true
		}
		c.Product = &p
		return c, true
	case product:
		return change{}, true
	case session && row.Op == sqlite3.SQLITE_DELETE:
		var s struct {
			Key       string `json:"_id"`
			ExpiresAt int64  `json:"expiresAt"`
		}
		c.err = json.Unmarshal(text(row.Old), &s)
		c.Ended = s.Key
		return c, c.err != nil || s.ExpiresAt > time.Now().UnixMilli() // nobody accepts one that has expired
	}
	return change{}, false
}

// text is what the one column of these tables holds: a document as JSON, a time as milliseconds. Nil if it can't be read.
func text(read func(columns ...any) error) []byte {
	columns := make([]any, 1)
	if read(columns...) != nil {
		return nil
	}
	document, _ := columns[0].(string)
	return []byte(document)
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
	r := c.rows.Load()
	if r == nil {
		return nil // nobody listens yet
	}
	ctx, cancel := context.WithTimeout(context.Background(), visibleWait)
	defer cancel()
	for pause := 50 * time.Microsecond; !c.ended.Load(); pause = min(2*pause, 20*time.Millisecond) {
		var there bool
		var err error
		seen := true
		switch last := transaction[len(transaction)-1]; {
		case last.Product != nil:
			there, err = r.has(ctx, store.ProductsName, last.Product.ID.Hex())
			seen = there
		case last.Ended != "":
			there, err = r.has(ctx, store.SessionsName, last.Ended)
			seen = err == nil && !there
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
