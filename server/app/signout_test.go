package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"balanceo/server/news"
	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// relay stands between processes and the database's news.
type relay struct {
	ln    net.Listener
	to    string
	state atomic.Int32
	work  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// States of a relay.
const (
	passing int32 = iota
	stalled       // nothing goes through, and nobody is told
	cut           // connections are closed, and new ones, too
)

// newRelay makes the database at url say that news are to be had from the relay.
func newRelay(t *testing.T, url string) *relay {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	collection := client.Database(store.DatabaseName).Collection("news")
	var at struct {
		Port  int
		Token string
	}
	if err := collection.FindOne(t.Context(), bson.D{}).Decode(&at); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, to: net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port))}
	s := storetest.Open(t, url)
	if err := s.Announce(t.Context(), ln.Addr().(*net.TCPAddr).Port, at.Token); err != nil {
		t.Fatal(err)
	}
	r.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r.work.Go(func() { r.pass(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		r.set(cut)
		r.work.Wait()
	})
	return r
}

func (r *relay) pass(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	closed := r.state.Load() == cut
	r.conns = append(r.conns, conn)
	r.mu.Unlock()
	if closed {
		return
	}
	on, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer on.Close()
	copyOver := func(to, from net.Conn) {
		defer to.Close()
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			for r.state.Load() == stalled {
				time.Sleep(time.Millisecond)
			}
			if err != nil {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	var back sync.WaitGroup
	back.Go(func() { copyOver(conn, on) })
	copyOver(on, conn)
	back.Wait()
}

func (r *relay) set(state int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Store(state)
	if state == cut {
		for _, conn := range r.conns {
			_ = conn.Close()
		}
		r.conns = nil
	}
}

// auth asks a process whether a cookie is accepted.
func auth(client *http.Client, p *process, cookie string) (bool, error) {
	req, err := http.NewRequest(http.MethodGet, p.url+"/checkAuth", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Cookie", cookie)
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return strings.Contains(string(body), "true"), err
}

// No cookie is accepted anywhere once /logout has been answered: under load, where processes hear of it, where
// nothing arrives and nobody knows, and where the connections are cut.
func TestNoSignedOutCookieIsAccepted(t *testing.T) {
	t.Parallel()
	db := storetest.Start(t, t.TempDir(), "127.0.0.1:0")
	r := newRelay(t, db.URL)
	var processes []*process
	for range 4 {
		processes = append(processes, start(t, db.URL, Config{}))
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 50}
	client := &http.Client{Transport: transport, Timeout: limit}
	t.Cleanup(transport.CloseIdleConnections)

	resident := newBrowser(t)
	resident.signup(processes[0], "resident@example.com", "Eva")
	stays := resident.cookie(processes[0])
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	t.Cleanup(func() { stop(); load.Wait() })
	for i := range 4 {
		load.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if in, err := auth(client, processes[n%len(processes)], stays); err != nil || !in {
					t.Errorf("somebody who stays is signed in: %v, %v", in, err)
					return
				}
			}
		})
	}
	const users = 4
	signIn := func(i int) (*browser, string) {
		b := newBrowser(t)
		got := b.post(processes[0].url+"/login", signupForm("resident@example.com", "una clave", ""))
		if got.location != "/" {
			t.Fatalf("signing in, user %d: %d to %q", i, got.status, got.location)
		}
		return b, b.cookie(processes[0])
	}
	for round := range 5 {
		for name, state := range map[string]int32{"heard": passing, "stalled": stalled, "cut": cut} {
			r.set(passing)
			browsers, cookies := make([]*browser, users), make([]string, users)
			for i := range users {
				browsers[i], cookies[i] = signIn(i)
			}
			for began := time.Now(); time.Since(began) < news.Life/8; { // until the processes know them
				for _, cookie := range cookies {
					for _, p := range processes {
						if in, err := auth(client, p, cookie); err != nil || !in {
							t.Fatalf("round %d, %s: signed in %v, %v; want true", round, name, in, err)
						}
					}
				}
			}
			r.set(state)
			var leaving sync.WaitGroup
			for i, b := range browsers {
				leaving.Go(func() {
					if got := b.get(processes[i%len(processes)].url + "/logout"); got.status != 200 {
						t.Errorf("round %d, %s: GET /logout: %d", round, name, got.status)
						return
					}
					for range 3 {
						for n, p := range processes {
							if in, err := auth(client, p, cookies[i]); err != nil || in {
								t.Errorf("round %d, %s: process %d accepts a cookie after the answer to /logout: %v, %v", round, name, n, in, err)
							}
						}
					}
				})
			}
			leaving.Wait()
		}
	}
}

// A websocket whose session ended while nothing was heard is closed as soon as something can be heard again.
func TestSessionThatEndedUnheardClosesItsWebsocket(t *testing.T) {
	t.Parallel()
	db := storetest.Start(t, t.TempDir(), "127.0.0.1:0")
	r := newRelay(t, db.URL)
	one, other := start(t, db.URL, Config{}), start(t, db.URL, Config{})
	b := newBrowser(t)
	b.signup(one, "ana@example.com", "Ana")
	s := mustDial(t, other, "Cookie", b.cookie(one))
	var list []store.Product
	s.next("PRODLIST", &list)
	r.set(cut)
	if got := b.get(one.url + "/logout"); got.status != 200 {
		t.Fatalf("GET /logout: %d", got.status)
	}
	r.set(passing)
	if code := s.closed(); code != closeSession {
		t.Errorf("the websocket was closed with %d, want %d", code, closeSession)
	}
}
