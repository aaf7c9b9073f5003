package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// BenchmarkGrowth shows how the cost of what a page needs grows with what the embedded database holds.
func BenchmarkGrowth(b *testing.B) { growth(b, 0) }

// BenchmarkPostgresGrowth is BenchmarkGrowth with the data kept by a PostgreSQL, whose processes count, too.
func BenchmarkPostgresGrowth(b *testing.B) {
	growth(b, storetest.UsePostgres(b))
}

// growth measures a database whose data are kept by the children of the process postgres; 0: by itself.
func growth(b *testing.B, postgres int) {
	for _, n := range []int{10, 1_000, 10_000, 100_000} {
		db := storetest.Start(b, b.TempDir(), "127.0.0.1:0")
		fill(b, db.URL, n)
		s := storetest.Open(b, db.URL)
		started(b, follow(b, s)) // the database's process has looked at all once
		ctx := context.Background()
		run := func(what string, do func(i int) error) {
			b.Run(fmt.Sprintf("%s=%d", what, n), func(b *testing.B) {
				before := cpu(b, db.PID(), postgres)
				for i := 0; b.Loop(); i++ {
					if err := do(i); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((cpu(b, db.PID(), postgres)-before).Microseconds())/float64(b.N), "db-cpu-µs/op")
			})
		}
		run("sign-in/users", func(i int) error {
			_, err := s.User(ctx, email(some(i, n)))
			return err
		})
		run("sign-up/users", func(int) error {
			return s.AddUser(ctx, store.User{Email: bson.NewObjectID().Hex() + "@example.com"})
		})
		run("session-read/sessions", func(i int) error {
			_, err := s.StoredSession(ctx, strconv.Itoa(some(i, n)), time.Now())
			return err
		})
		run("first-list/products", func(int) error {
			other, err := store.Open(db.URL) //nolint:contextcheck // it lives until it is closed
			if err != nil {
				return err
			}
			begun, stop := context.WithCancel(ctx)
			other.Follow(begun, store.NewestTold, store.Follower{Start: func([]store.Product) { stop() }})
			return other.Close(ctx)
		})
		run("add/products", func(i int) error { return s.AddProduct(ctx, product(i)) })
		db.Kill()
	}
}

// cpu is what the threads of a process and the children of another one have used of the processors.
func cpu(b *testing.B, pid, parent int) (used time.Duration) {
	b.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", parent))
	for child := range strings.FieldsSeq(string(children)) {
		files = append(files, fmt.Sprintf("/proc/%s/schedstat", child))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil { // the thread has ended
			continue
		}
		var ns time.Duration
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			b.Fatal(err)
		}
		used += ns
	}
	return used
}

// some is one of n, another one for each i: the last of a collection is looked for, too.
func some(i, n int) int { return (n - 1) - (i*7919)%n }

func email(i int) string { return fmt.Sprintf("user%d@example.com", i) }

// fill puts n users, sessions and products into the database.
func fill(b *testing.B, url string, n int) {
	b.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	for name, document := range map[string]func(i int) any{
		"usuarios":  func(i int) any { return bson.D{{Key: "_id", Value: email(i)}, {Key: "email", Value: email(i)}} },
		"sessions":  func(i int) any { return store.Session{Key: strconv.Itoa(i), ExpiresAt: time.Now().Add(time.Hour)} },
		"productos": func(i int) any { return product(i) },
	} {
		for from := 0; from < n; from += 1000 {
			var batch []any
			for i := from; i < min(n, from+1000); i++ {
				batch = append(batch, document(i))
			}
			if _, err := client.Database(store.DatabaseName).Collection(name).InsertMany(context.Background(), batch); err != nil {
				b.Fatal(err)
			}
		}
	}
}
