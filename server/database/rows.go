package database

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
)

// rows reads the file of the database beside FerretDB, which reads all of a collection for its newest and takes half a
// millisecond for one document. It writes nothing.
type rows struct {
	db *sql.DB

	mu     sync.Mutex
	tables map[string]string // by collection
}

func openRows(file string) (*rows, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", file, err)
	}
	return &rows{db: db, tables: map[string]string{}}, nil
}

// Expressions over a document, which column holds: as FerretDB makes its index of times, and as it looks up an id.
const (
	column      = "_ferretdb_sjson"
	byTimeStamp = column + `->"timeStamp"`
	byID        = column + `->'$._id'`
)

// indexByID lets FerretDB find documents by their id: it makes an index over another expression than it looks them up by, and
// so reads the whole collection for each.
func indexByID(ctx context.Context, file string, r *rows, collections ...string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return fmt.Errorf("indexing %q: %w", file, err)
	}
	defer func() { _ = db.Close() }()
	for _, c := range collections {
		table, err := r.table(ctx, c)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %q ON %q (%s)", table+"_by_id", table, byID)); err != nil {
			return fmt.Errorf("indexing collection %q: %w", c, err)
		}
	}
	return nil
}

// table is the table of a collection.
func (r *rows) table(ctx context.Context, collection string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name := r.tables[collection]; name != "" {
		return name, nil
	}
	var name string
	if err := r.db.QueryRowContext(ctx, "SELECT table_name FROM _ferretdb_collections WHERE name = ?", collection).Scan(&name); err != nil {
		return "", fmt.Errorf("table of collection %q: %w", collection, err)
	}
	r.tables[collection] = name
	return name, nil
}

// query is one over a collection's table, %q in the text. Where it fails the table may have been made anew.
func (r *rows) query(ctx context.Context, collection, text string, args ...any) (*sql.Rows, error) {
	name, err := r.table(ctx, collection)
	if err != nil {
		return nil, err
	}
	found, err := r.db.QueryContext(ctx, fmt.Sprintf(text, name), args...) //nolint:gosec,sqlclosecheck // the name is FerretDB's; closed by the caller
	if err != nil {
		r.mu.Lock()
		delete(r.tables, collection)
		r.mu.Unlock()
		return nil, fmt.Errorf("reading collection %q: %w", collection, err)
	}
	return found, nil
}

// has tells whether a document with that id is committed.
func (r *rows) has(ctx context.Context, collection, id string) (bool, error) {
	key, err := json.Marshal(id)
	if err != nil {
		return false, err
	}
	found, err := r.query(ctx, collection, "SELECT 1 FROM %q WHERE "+byID+" = ?", string(key))
	if err != nil {
		return false, err
	}
	defer func() { _ = found.Close() }()
	is := found.Next()
	return is, found.Err()
}

const selectNewest = "SELECT " + column + " FROM %q ORDER BY " + byTimeStamp + " DESC LIMIT ?"

// newest returns the newest n products, newest first. Times are compared as texts, which is the same for all between
// the years 2001 and 2286.
func (r *rows) newest(ctx context.Context, n int) ([]store.Product, error) {
	found, err := r.query(ctx, store.ProductsName, selectNewest, n)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	products := []store.Product{}
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			return nil, fmt.Errorf("reading products: %w", err)
		}
		p, err := productOf([]byte(text))
		if err != nil {
			slog.Warn("a product is not listed: it is of another kind", "error", err)
			continue
		}
		products = append(products, p)
	}
	slices.SortStableFunc(products, func(a, b store.Product) int { return cmp.Compare(b.TimeStamp.UnixMilli(), a.TimeStamp.UnixMilli()) })
	return products, found.Err()
}

func (r *rows) close() { _ = r.db.Close() }

// productOf reads a product from the text of its row. A time is milliseconds there, an id hexadecimal.
func productOf(text []byte) (store.Product, error) {
	var p struct {
		ID        string  `json:"_id"`
		Title     string  `json:"title"`
		Price     float64 `json:"price"`
		Thumbnail string  `json:"thumbnail"`
		TimeStamp int64   `json:"timeStamp"`
	}
	err := json.Unmarshal(text, &p)
	id, idErr := bson.ObjectIDFromHex(p.ID)
	if err = errors.Join(err, idErr); err != nil {
		return store.Product{}, err
	}
	return store.Product{ID: id, Title: p.Title, Price: p.Price, Thumbnail: p.Thumbnail, TimeStamp: time.UnixMilli(p.TimeStamp).UTC()}, nil
}
