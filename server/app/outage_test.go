package app

import (
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"balanceo/server/news"
	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// A database that hangs, and one that is gone: what needs none answers as before, the rest says 503 soon, and all recovers
// by itself with nothing lost or doubled.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := storetest.Start(t, dir, "127.0.0.1:0")
	draws := Config{Draw: echoDraw}
	one, other := start(t, db.URL, draws), start(t, db.URL, draws)
	b := newBrowser(t)
	b.signup(one, "ana@example.com", "Ana")
	var list []store.Product
	writer, reader := mustDial(t, one, "Cookie", b.cookie(one)), mustDial(t, other, "Cookie", b.cookie(one))
	writer.next("PRODLIST", &list)
	reader.next("PRODLIST", &list)
	add := func(id, title string) {
		t.Helper()
		writer.send(sameProduct(id, title, 1, picture))
		for _, s := range []*socket{writer, reader} {
			var p store.Product
			if s.next("PRODUCT", &p); p.Title != title {
				t.Errorf("got the product %q, want %q", p.Title, title)
			}
		}
	}
	add("", "before")

	for what, stop := range map[string]func() (again func()){
		"hangs": func() func() {
			db.Halt(t)
			return func() {
				if err := db.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			}
		},
		"killed": func() func() {
			db.Kill()
			return func() { db = storetest.Start(t, dir, db.Addr()) }
		},
	} {
		again := stop()
		time.Sleep(news.Life) // until then, processes may rely on what they know of sessions
		for _, path := range []string{"/info", "/api/randoms", "/login", "/healthz"} {
			if got := b.get(one.url + path); got.status != 200 {
				t.Errorf("%s: GET %s: got %d, want 200", what, path, got.status)
			}
		}
		var wg sync.WaitGroup
		for _, c := range []struct{ method, path string }{
			{"GET", "/"}, {"GET", "/checkAuth"}, {"GET", "/logout"}, {"POST", "/login"}, {"POST", "/signup"},
		} {
			wg.Go(func() {
				began := time.Now()
				var got answer
				if c.method == "GET" {
					got = b.get(one.url + c.path)
				} else {
					got = b.post(one.url+c.path, signupForm("eva@example.com", "clave", "Eva"))
				}
				if took := time.Since(began); got.status != 503 || got.header.Get("Retry-After") == "" || took > 3*dbBudget {
					t.Errorf("%s: %s %s: got %d after %v, want 503 with Retry-After soon", what, c.method, c.path, got.status, took)
				}
			})
		}
		wg.Wait()
		if _, resp, err := dial(t, one, "Cookie", b.cookie(one)); resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: a websocket gets %v, %v; want 503", what, resp, err)
		}
		writer.send(newProduct("refused", 1, picture))
		var r refusal
		if writer.next("ERROR", &r); r.Code != codeUnavailable || r.ID == "" {
			t.Errorf("%s: NEWPROD: got %+v, want code %q and an id to send it again", what, r, codeUnavailable)
		}
		again()
		deadline := time.Now().Add(limit)
		for {
			got := b.get(one.url + "/")
			if got.status == 200 && strings.Contains(got.body, "Ana") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: GET / after the database is back: got %d", what, got.status)
			}
			time.Sleep(50 * time.Millisecond)
		}
		add(r.ID, "refused") // a database that hung may have saved it when it went on
		add("", "after it "+what)
	}
	got := newBrowser(t).post(other.url+"/login", signupForm("ana@example.com", "una clave", ""))
	if got.status != http.StatusFound || got.location != "/" {
		t.Errorf("signing in afterwards: got %d to %q, want 302 to /", got.status, got.location)
	}
}

// An application that starts before its database serves what needs none, and the rest once it is there.
func TestDatabaseComesLater(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Start(t, dir, "127.0.0.1:0")
	db.Kill()
	p := start(t, db.URL, Config{})
	b := newBrowser(t)
	if got := b.get(p.url + "/info"); got.status != 200 {
		t.Errorf("GET /info: got %d, want 200", got.status)
	}
	storetest.Start(t, dir, db.Addr())
	for deadline := time.Now().Add(limit); !strings.Contains(b.get(p.url+"/healthz").body, `"available"`); {
		if time.Now().After(deadline) {
			t.Fatal("/healthz does not say that the database is available")
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.signup(p, "ana@example.com", "Ana")
	var list []store.Product
	mustDial(t, p, "Cookie", b.cookie(p)).next("PRODLIST", &list)
}
