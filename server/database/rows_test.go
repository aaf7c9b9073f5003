package database

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
)

// What a request asks of the database is found by an index, so that it costs the same however much there is.
func TestLookupsUseIndexes(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Serve(ctx, Config{Dir: dir, Listen: "127.0.0.1:0", Ready: func(url string) { ready <- url }})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var url string
	select {
	case url = <-ready:
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	r, err := openRows(filepath.Join(dir, store.DatabaseName+".sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	const asFerretDB = `EXPLAIN QUERY PLAN SELECT _ferretdb_sjson FROM %q WHERE _ferretdb_sjson->'$._id' = ?`
	for _, c := range store.Indexed() {
		if plan := planOf(t, r, c, asFerretDB, `"1"`); !strings.Contains(plan, "USING INDEX") {
			t.Errorf("a document of %s by its id: %q, want an index", c, plan)
		}
	}
	if plan := planOf(t, r, store.ProductsName, "EXPLAIN QUERY PLAN "+selectNewest, 200); !strings.Contains(plan, "USING INDEX") || strings.Contains(plan, "TEMP") {
		t.Errorf("the newest products: %q, want an index", plan)
	}

	s, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close(context.Background()) }()
	now := time.Now().Truncate(time.Millisecond).UTC()
	for i := range 5 {
		p := store.Product{ID: bson.NewObjectID(), Title: strconv.Itoa(i), Price: 1.5, Thumbnail: "x", TimeStamp: now.Add(time.Duration(i%3) * time.Second)}
		if err := s.AddProduct(ctx, p); err != nil {
			t.Fatal(err)
		}
		if there, err := r.has(ctx, store.ProductsName, p.ID.Hex()); !there || err != nil {
			t.Errorf("has a product that was added: got %v, %v", there, err)
		}
	}
	got, err := r.newest(ctx, 3)
	if err != nil || len(got) != 3 || got[0].Title != "2" || !got[0].TimeStamp.Equal(now.Add(2*time.Second)) || !got[1].TimeStamp.Equal(now.Add(time.Second)) {
		t.Errorf("newest: got %+v, %v", got, err)
	}
	if there, err := r.has(ctx, store.ProductsName, bson.NewObjectID().Hex()); there || err != nil {
		t.Errorf("has a product that was not added: got %v, %v", there, err)
	}
}

func planOf(t *testing.T, r *rows, collection, text string, args ...any) string {
	t.Helper()
	found, err := r.query(t.Context(), collection, text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	var plan []string
	for found.Next() {
		var a, b, c int
		var step string
		if err := found.Scan(&a, &b, &c, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	return strings.Join(plan, "; ")
}
