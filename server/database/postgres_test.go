package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"balanceo/server/database"
	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// serving runs a database on a PostgreSQL until end is called; url gets its address once it serves.
func serving(t *testing.T, address string) (url <-chan string, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- database.Serve(ctx, database.Config{Listen: "127.0.0.1:0", Postgres: address, Ready: func(url string) { ready <- url }})
	}()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(end)
	return ready, end
}

func urlOf(t *testing.T, url <-chan string) string {
	t.Helper()
	select {
	case got := <-url:
		return got
	case <-time.After(time.Minute):
		t.Fatal("no database serves")
		return ""
	}
}

// A process that is killed while it makes a collection leaves a table that is not taken down. The next one removes it.
func TestPostgresMends(t *testing.T) {
	address := storetest.StartPostgres(t)
	url, end := serving(t, address)
	urlOf(t, url)
	end()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var table string
	query := func(text string) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), text).Scan(&table); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	query(`DELETE FROM balanceo._ferretdb_database_metadata WHERE _jsonb->>'_id' = 'usuarios' RETURNING _jsonb->>'table'`)
	query(`SELECT _jsonb->>'table' FROM balanceo._ferretdb_database_metadata WHERE _jsonb->>'_id' = 'sessions'`)
	if _, err := conn.Exec(t.Context(), `CREATE INDEX half_made ON balanceo.`+pgx.Identifier{table}.Sanitize()+` ((_jsonb->'x'))`); err != nil {
		t.Fatal(err)
	}
	url, _ = serving(t, address)
	s := storetest.Open(t, urlOf(t, url))
	if err := s.AddUser(t.Context(), store.User{Email: "a@example.com"}); err != nil {
		t.Errorf("a user after the mending: %v", err)
	}
	if query(`SELECT count(*)::text FROM pg_indexes WHERE indexname = 'half_made'`); table != "0" {
		t.Error("the index that was half made is there still")
	}
}

// One process serves a database; another one waits, and takes over when the first has ended.
func TestPostgresTakesOver(t *testing.T) {
	address := storetest.StartPostgres(t)
	first, end := serving(t, address)
	s := storetest.Open(t, urlOf(t, first))
	if err := s.AddUser(t.Context(), store.User{Email: "a@example.com", Name: "A"}); err != nil {
		t.Fatal(err)
	}
	second, _ := serving(t, address)
	select {
	case <-second:
		t.Fatal("two processes serve one database")
	case <-time.After(300 * time.Millisecond):
	}
	end()
	if got, err := storetest.Open(t, urlOf(t, second)).User(t.Context(), "a@example.com"); err != nil || got.Name != "A" {
		t.Errorf("a user after the second has taken over: got %+v, %v", got, err)
	}
}
