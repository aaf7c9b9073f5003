package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main()
	os.Exit(m.Run())
}

// limit bounds one step of a test. It is long: steps wait for events, and other work may slow them.
const limit = time.Minute

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestUsers(t *testing.T) {
	s := storetest.Open(t, storetest.Run(t))
	ctx := within(t)
	ana := store.User{Email: "ana@example.com", Password: "hash", Name: "Ana"}
	if err := s.AddUser(ctx, ana); err != nil {
		t.Fatalf("AddUser(%+v): %v", ana, err)
	}
	if err := s.AddUser(ctx, ana); !errors.Is(err, store.ErrEmailTaken) {
		t.Errorf("AddUser(%+v) again: got %v, want %v", ana, err, store.ErrEmailTaken)
	}
	if got, err := s.User(ctx, ana.Email); err != nil || got != ana {
		t.Errorf("User(%q): got %+v, %v; want %+v", ana.Email, got, err, ana)
	}
	if _, err := s.User(ctx, "eva@example.com"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("User of nobody: got %v, want %v", err, store.ErrNotFound)
	}
}

// Users of an earlier version, which kept them under an id, are found as before, whether or not anybody has signed
// up since.
func TestUsersOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Start(t, dir, "127.0.0.1:0")
	client, err := mongo.Connect(options.Client().ApplyURI(db.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	old := store.User{Email: "old@example.com", Password: "hash", Name: "Ana"}
	if _, err := client.Database(store.DatabaseName).Collection("usuarios").InsertOne(within(t), old); err != nil {
		t.Fatal(err)
	}
	// As if the database's process had been of that version, too.
	if err := client.Database(store.DatabaseName).Collection("news").Drop(within(t)); err != nil {
		t.Fatal(err)
	}
	db.Kill()
	db = storetest.Start(t, dir, db.Addr())
	s := storetest.Open(t, db.URL)
	if err := s.AddUser(within(t), old); !errors.Is(err, store.ErrEmailTaken) {
		t.Errorf("AddUser of one that is there: got %v, want %v", err, store.ErrEmailTaken)
	}
	eva := store.User{Email: "eva@example.com", Name: "Eva"}
	if err := s.AddUser(within(t), eva); err != nil {
		t.Fatal(err)
	}
	started(t, follow(t, s)) // what the database says of itself is known then
	for _, want := range []store.User{old, eva} {
		if got, err := s.User(within(t), want.Email); err != nil || got != want {
			t.Errorf("User(%q): got %+v, %v; want %+v", want.Email, got, err, want)
		}
	}
}

func TestManyProcessesPrepareAtOnce(t *testing.T) {
	url := storetest.Run(t)
	var wg sync.WaitGroup
	taken := make(chan error, 8)
	unsure := atomic.Bool{} // whether one that was told that the database is away had added
	for i := range 8 {
		s := storetest.Open(t, url)
		wg.Go(func() {
			ctx := within(t)
			for {
				err := s.AddUser(ctx, store.User{Email: "same@example.com", Name: strconv.Itoa(i)})
				if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
					taken <- err
					return
				}
				unsure.Store(true) // a machine that is too slow
			}
		})
	}
	wg.Wait()
	close(taken)
	added := 0
	for err := range taken {
		switch {
		case err == nil:
			added++
		case !errors.Is(err, store.ErrEmailTaken):
			t.Errorf("AddUser: %v", err)
		}
	}
	if added > 1 || added == 0 && !unsure.Load() {
		t.Errorf("eight processes added the same e-mail %d times, want 1", added)
	}
}

func TestSessions(t *testing.T) {
	s := storetest.Open(t, storetest.Run(t))
	ctx := within(t)
	now := time.Now()
	err := s.SaveSession(ctx, store.Session{Key: "k", Data: []byte("data"), ExpiresAt: now.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(step string, at time.Time, want error) {
		t.Helper()
		if _, err := s.Session(ctx, "k", at); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", step, err, want)
		}
	}
	expect("a session that lives", now.Add(59*time.Second), nil)
	expect("one that has ended", now.Add(61*time.Second), store.ErrNotFound)
	if err := s.RenewSession(ctx, "k", now.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect("renewed", now.Add(119*time.Second), nil)
	if err := s.EndSession(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if err := s.RenewSession(ctx, "k", now.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect("ended and renewed", now, store.ErrNotFound)
}

// feed is a Follower that remembers.
type feed struct {
	mu      sync.Mutex
	started chan []store.Product
	got     map[store.ProductID]int
	changed chan struct{}
	ended   chan string
}

func follow(t testing.TB, s *store.Store) *feed {
	f := &feed{
		started: make(chan []store.Product, 1), got: map[store.ProductID]int{},
		changed: make(chan struct{}, 1), ended: make(chan string, 10),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Follow(ctx, 200, store.Follower{
			Start: func(p []store.Product) { f.started <- p },
			Product: func(p store.Product) {
				f.mu.Lock()
				f.got[p.ID]++
				f.mu.Unlock()
				select {
				case f.changed <- struct{}{}:
				default:
				}
			},
			Ended:   func(key string) { f.ended <- key },
			Resumed: func() {},
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// wait waits until all products came, and fails if one came twice.
func (f *feed) wait(t testing.TB, want []store.ProductID) {
	t.Helper()
	timeout := time.After(limit)
	for {
		f.mu.Lock()
		missing := 0
		for _, id := range want {
			if f.got[id] == 0 {
				missing++
			}
		}
		for id, n := range f.got {
			if n != 1 {
				t.Errorf("product %v came %d times", id, n)
			}
		}
		f.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-f.changed:
		case <-timeout:
			t.Fatalf("%d of %d products did not come", missing, len(want))
		}
	}
}

func product(i int) store.Product {
	return store.Product{
		ID: bson.NewObjectID(), Title: fmt.Sprintf("product %d", i), Price: float64(i),
		Thumbnail: "http://127.0.0.1/x.png", TimeStamp: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func started(t testing.TB, f *feed) []store.Product {
	t.Helper()
	select {
	case p := <-f.started:
		return p
	case <-time.After(limit):
		t.Fatal("following did not start")
		return nil
	}
}

// eachWay runs a test with a database that tells its changes, and with one that does not, as a MongoDB.
func eachWay(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("told", func(t *testing.T) { test(t, storetest.Run(t)) })
	t.Run("tailed", func(t *testing.T) {
		url := storetest.Run(t)
		client, err := mongo.Connect(options.Client().ApplyURI(url))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Disconnect(context.Background()) }()
		if err := client.Database(store.DatabaseName).Collection("news").Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, url)
	})
}

func TestFollowersOfTwoProcessesGetEachProductOnce(t *testing.T) { eachWay(t, testEachProductOnce) }

func testEachProductOnce(t *testing.T, url string) {
	a, b := storetest.Open(t, url), storetest.Open(t, url)
	ctx := within(t)
	first := product(0)
	if err := a.AddProduct(ctx, first); err != nil {
		t.Fatal(err)
	}
	fa, fb := follow(t, a), follow(t, b)
	for _, f := range []*feed{fa, fb} {
		if got := started(t, f); len(got) != 1 || got[0].ID != first.ID || got[0].Title != first.Title || !got[0].TimeStamp.Equal(first.TimeStamp) {
			t.Errorf("the list at the start: got %+v, want %+v", got, first)
		}
	}
	var ids []store.ProductID
	for i := range 120 {
		p := product(i)
		ids = append(ids, p.ID)
		s := a
		if i%2 == 1 {
			s = b
		}
		if err := s.AddProduct(within(t), p); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			if err := s.AddProduct(within(t), p); err != nil {
				t.Fatalf("the same product again: %v", err)
			}
		}
	}
	fa.wait(t, ids)
	fb.wait(t, ids)
	if len(fa.got) != len(ids) || len(fb.got) != len(ids) {
		t.Errorf("got %d and %d products, want %d", len(fa.got), len(fb.got), len(ids))
	}
}

// A product that was saved by a call that did not live to tell it is told when it is sent again, and not only when the
// followers sweep.
func TestSavedAndNotTold(t *testing.T) { eachWay(t, testSavedAndNotTold) }

func testSavedAndNotTold(t *testing.T, url string) {
	s := storetest.Open(t, url)
	f := follow(t, s)
	started(t, f)
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	saved, next := product(1), product(2)
	if _, err := client.Database(store.DatabaseName).Collection(store.ProductsName).InsertOne(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	again := saved
	again.Title, again.TimeStamp = "another title", time.Now().UTC().Truncate(time.Millisecond)
	for _, p := range []store.Product{again, next} {
		if err := s.AddProduct(within(t), p); err != nil {
			t.Fatal(err)
		}
	}
	f.wait(t, []store.ProductID{next.ID})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.got[saved.ID] != 1 {
		t.Errorf("the product that had been saved came %d times before the next one, want 1", f.got[saved.ID])
	}
}

// The list that a process begins with has what is in the database, also after somebody tidied up in it.
func TestListAfterTidyingUp(t *testing.T) {
	url := storetest.Run(t)
	s := storetest.Open(t, url)
	stays, goes := product(1), product(2)
	for _, p := range []store.Product{stays, goes} {
		if err := s.AddProduct(within(t), p); err != nil {
			t.Fatal(err)
		}
	}
	if list := started(t, follow(t, s)); len(list) != 2 {
		t.Errorf("the list has %d products, want 2", len(list))
	}
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	if _, err := client.Database(store.DatabaseName).Collection("productos").DeleteOne(within(t), bson.D{{Key: "_id", Value: goes.ID}}); err != nil {
		t.Fatal(err)
	}
	if list := started(t, follow(t, storetest.Open(t, url))); len(list) != 1 || list[0].ID != stays.ID {
		t.Errorf("the list afterwards: got %+v, want %+v", list, stays)
	}
}

// Of products that are saved at once, a cursor of FerretDB may pass over some. None of them
// waits for the next sweep.
func TestFollowerMissesNoneOfManyAtOnce(t *testing.T) { eachWay(t, testManyAtOnce) }

func testManyAtOnce(t *testing.T, url string) {
	s := storetest.Open(t, url)
	f := follow(t, s)
	started(t, f)
	began := time.Now()
	var (
		mu     sync.Mutex
		ids    []store.ProductID
		savers sync.WaitGroup
	)
	for range 8 {
		savers.Go(func() {
			for i := range 15 {
				p := product(i)
				if err := s.AddProduct(within(t), p); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ids = append(ids, p.ID)
				mu.Unlock()
			}
		})
	}
	savers.Wait()
	saved := time.Now()
	f.wait(t, ids)
	late := time.Since(saved)
	t.Logf("saved in %v, the last came %v later", saved.Sub(began), late)
	if late > 5*time.Second+2*saved.Sub(began) { // a sweep comes after up to 10 s; saving says how slow the machine is
		t.Errorf("the last product came %v after it was saved, want it before the next sweep", late)
	}
}

func TestFollowerHearsOfEndedSession(t *testing.T) { eachWay(t, testEndedSession) }

func testEndedSession(t *testing.T, url string) {
	a, b := storetest.Open(t, url), storetest.Open(t, url)
	f := follow(t, a)
	started(t, f)
	if err := b.SaveSession(within(t), store.Session{Key: "k", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := b.EndSession(within(t), "k"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-f.ended:
		if got != "k" {
			t.Errorf("ended session: got %q, want %q", got, "k")
		}
	case <-time.After(limit):
		t.Error("nobody said that the session ended")
	}
}

// A database that is killed and comes back has everything it acknowledged, and a follower catches up with what
// others saved while it was away.
func TestKilledDatabaseLosesNothing(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Start(t, dir, "127.0.0.1:0")
	a := storetest.Open(t, db.URL)
	f := follow(t, a)
	started(t, f)
	var acknowledged []store.ProductID
	for round := range 3 {
		killed := make(chan struct{})
		for i := range 20 {
			if i == 10 {
				go func() { defer close(killed); db.Kill() }()
			}
			p := product(100*round + i)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			err := a.AddProduct(ctx, p)
			cancel()
			if err == nil {
				acknowledged = append(acknowledged, p.ID)
			} else if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("AddProduct: got %v, want %v", err, store.ErrUnavailable)
			}
		}
		<-killed
		db = storetest.Start(t, dir, db.Addr())
		// Saved by somebody else before the follower is back.
		other := storetest.Open(t, db.URL)
		p := product(1000 + round)
		if err := other.AddProduct(within(t), p); err != nil {
			t.Fatal(err)
		}
		acknowledged = append(acknowledged, p.ID)
	}
	f.wait(t, acknowledged)
	if len(acknowledged) < 30 {
		t.Errorf("only %d products were acknowledged", len(acknowledged))
	}
	all, err := a.Newest(within(t), 1000)
	if err != nil {
		t.Fatal(err)
	}
	have := map[store.ProductID]bool{}
	for _, p := range all {
		have[p.ID] = true
	}
	for _, id := range acknowledged {
		if !have[id] {
			t.Errorf("product %v was acknowledged and is lost", id)
		}
	}
}
