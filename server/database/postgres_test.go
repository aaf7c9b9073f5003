package database_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

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

// What a request asks of a PostgreSQL is found by an index, so that it costs the same however much there is, also by
// connections that have known it empty.
func TestPostgresReadsNoWholeTable(t *testing.T) {
	const n = 5000
	address := storetest.StartPostgres(t)
	ready, end := serving(t, address)
	url := urlOf(t, ready)
	s, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	request(t, s, "somebody")
	fill(t, url, n)
	request(t, s, strconv.Itoa(n-1))
	byEmail(t, url, strconv.Itoa(n-1), "nobody")
	following, stop := context.WithCancel(t.Context())
	s.Follow(following, 200, store.Follower{
		Start: func(newest []store.Product) {
			stop()
			if len(newest) != 200 || newest[0].Title != strconv.Itoa(n-1) || newest[199].Title != strconv.Itoa(n-200) {
				t.Errorf("the newest of %d products: got %d, first %+v", n, len(newest), newest[0])
			}
		},
		Product: func(store.Product) {}, Ended: func(string) {}, Resumed: func() {},
	})
	purged(t, s)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	end()
	if got := rowsScanned(t, address); got >= n {
		t.Errorf("a few requests read %d rows of whole tables with %d each, want less than one table", got, n)
	}
}

// byEmail looks for users as those are looked for who may have signed up with an earlier version.
func byEmail(t *testing.T, url string, emails ...string) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	for _, email := range emails {
		err := client.Database(store.DatabaseName).Collection(store.UsersName).FindOne(t.Context(), bson.M{"email": email}).Err()
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			t.Errorf("the user of e-mail %s: %v", email, err)
		}
	}
}

// request asks for a user and a session more often than a connection plans anew by itself.
func request(t *testing.T, s *store.Store, key string) {
	t.Helper()
	ctx := t.Context()
	for range 20 {
		if err := s.AddUser(ctx, store.User{Email: key, Name: key}); err != nil && !errors.Is(err, store.ErrEmailTaken) {
			t.Error(err)
		}
		if u, err := s.User(ctx, key); err != nil || u.Name != key {
			t.Errorf("user %s: got %+v, %v", key, u, err)
		}
		if _, err := s.User(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a user who is not there: got %v", err)
		}
		err := s.SaveSession(ctx, store.Session{Key: key, ExpiresAt: time.Now().Add(time.Hour)})
		_, readErr := s.StoredSession(ctx, key, time.Now())
		if err = errors.Join(err, readErr, s.RenewSession(ctx, key, time.Now().Add(time.Hour)), s.EndSession(ctx, key)); err != nil {
			t.Errorf("session %s: %v", key, err)
		}
	}
}

// What has expired is removed, and nothing else.
func TestPostgresPurges(t *testing.T) {
	url, _ := serving(t, storetest.StartPostgres(t))
	s := storetest.Open(t, urlOf(t, url))
	now := time.Now()
	if err := s.SaveSession(t.Context(), store.Session{Key: "lives", ExpiresAt: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	purged(t, s)
	if _, err := s.StoredSession(t.Context(), "lives", now); err != nil {
		t.Errorf("a session that lives: %v", err)
	}
}

// purged waits until a session that has expired is removed.
func purged(t *testing.T, s *store.Store) {
	t.Helper()
	then := time.Now().Add(-time.Minute)
	if err := s.SaveSession(t.Context(), store.Session{Key: "expired", ExpiresAt: then}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := s.StoredSession(t.Context(), "expired", then.Add(-time.Minute))
		if errors.Is(err, store.ErrNotFound) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a session that has expired is there still: %v", err)
		}
	}
}

// fill puts n users, sessions and products into a database.
func fill(t *testing.T, url string, n int) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	now := time.Now().Add(-time.Hour)
	for name, document := range map[string]func(i int) any{
		"usuarios": func(i int) any {
			return bson.M{"_id": strconv.Itoa(i), "email": strconv.Itoa(i), "name": strconv.Itoa(i)}
		},
		"sessions": func(i int) any { return store.Session{Key: strconv.Itoa(i), ExpiresAt: now.Add(2 * time.Hour)} },
		"productos": func(i int) any {
			return store.Product{ID: bson.NewObjectID(), Title: strconv.Itoa(i), TimeStamp: now.Add(time.Duration(i) * time.Second)}
		},
	} {
		documents := make([]any, n)
		for i := range documents {
			documents[i] = document(i)
		}
		if _, err := client.Database(store.DatabaseName).Collection(name).InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
}

// rowsScanned is how many rows were read by looking through tables that grow, once nobody is connected any more: a
// connection tells what it read at its end.
func rowsScanned(t *testing.T, address string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for others := 1; others > 0; time.Sleep(10 * time.Millisecond) {
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&others); err != nil {
			t.Fatal(err)
		}
	}
	const scanned = "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname ~ '^(usuarios|sessions|productos|failures)_'"
	if err := conn.QueryRow(t.Context(), scanned).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
