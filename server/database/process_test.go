package database_test

import (
	"bytes"
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite" // the driver that holds up the writes

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// holdWrites keeps everybody from writing to the database in dir until release is called.
func holdWrites(t *testing.T, dir string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, store.DatabaseName+".sqlite")+"?_pragma=busy_timeout(30000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(within(t), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
		_ = conn.Close()
		_ = db.Close()
	})
	t.Cleanup(release)
	return release
}

func TestDatabaseThatCannotWriteEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var c children
	l := share(t, c.config(dir, time.Minute))
	s := storetest.Open(t, l.URL)
	if err := s.AddUser(within(t), store.User{Email: "ana@example.com"}); err != nil {
		t.Fatal(err)
	}
	release := holdWrites(t, dir)
	await(t, "the store says that writes are refused", func() bool { return s.State() == store.Refusing })
	await(t, "another process", func() bool { return c.started() == 2 })
	release()
	await(t, "writes again", func() bool {
		return s.AddUser(within(t), store.User{Email: strconv.FormatInt(time.Now().UnixNano(), 10)}) == nil && s.State() == store.Available
	})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	c.kill(1)
	gone(t, dir)
}

func TestReasonOfTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := storetest.Command(dir, "127.0.0.1:0", 0)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	await(t, "the database has its files", func() bool {
		_, err := os.Stat(filepath.Join(dir, "address"))
		return err == nil
	})
	holdWrites(t, dir)
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "has refused writes for 10s") {
		t.Errorf("the process ended with %v and said %q, want that writes are refused", err, out.String())
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// loadVar is how long the load of TestWritesBesideWaitingCursors lasts, 3 s unless it is set.
const loadVar = "DATABASE_LOAD"

// Cursors whose time to wait runs out in the middle of a query once left SQLite's connections in a state in which
// every later write failed.
func TestWritesBesideWaitingCursors(t *testing.T) {
	span := 3 * time.Second
	if text := os.Getenv(loadVar); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", loadVar, err)
		}
	}
	db := storetest.Start(t, t.TempDir(), "127.0.0.1:0")
	client, err := mongo.Connect(options.Client().ApplyURI(db.URL).SetMaxPoolSize(64))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	events := client.Database(store.DatabaseName).Collection("events")
	insert := func(ctx context.Context) error {
		_, err := events.InsertOne(ctx, bson.D{{Key: "at", Value: time.Now()}})
		return err
	}
	if err := insert(within(t)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var (
		work                    sync.WaitGroup
		inserted, failed, waits atomic.Int64
		first                   atomic.Value
	)
	for range 24 {
		work.Go(func() {
			for ctx.Err() == nil {
				wait := time.Duration(5+rand.N(24)) * time.Millisecond
				opt := options.Find().SetCursorType(options.TailableAwait).SetBatchSize(1).SetMaxAwaitTime(wait)
				cursor, err := events.Find(ctx, bson.D{}, opt)
				for err == nil && ctx.Err() == nil && cursor.ID() != 0 {
					cursor.TryNext(ctx)
					waits.Add(1)
					err = cursor.Err()
				}
				if cursor != nil {
					_ = cursor.Close(context.Background())
				}
			}
		})
	}
	for range 2 {
		work.Go(func() {
			for ctx.Err() == nil {
				try, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
				err := insert(try)
				cancel()
				if err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
					continue
				}
				inserted.Add(1)
			}
		})
	}
	work.Wait()
	t.Logf("%v: %d inserts, %d failed, %d waits of cursors", span, inserted.Load(), failed.Load(), waits.Load())
	if failed.Load() > 0 || inserted.Load() == 0 {
		t.Errorf("%d of %d inserts failed, the first with %v", failed.Load(), inserted.Load()+failed.Load(), first.Load())
	}
	if err := insert(within(t)); err != nil {
		t.Errorf("an insert afterwards: %v", err)
	}
}
