package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fasthttp/websocket"

	"balanceo/results/run"
	"balanceo/topology/cli"
)

// community is an application with users and websockets, behind the headers of an nginx.
type community struct {
	requests  atomic.Int64
	forgetful bool // one of its two servers does not know the sessions of the other
	mu        sync.Mutex
	users     int
	guests    []*websocket.Conn
}

func (c *community) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := c.requests.Add(1)
	w.Header().Set("X-Upstream-Group", "pair")
	w.Header().Set("X-Upstream", fmt.Sprintf("127.0.0.1:%d", 9001+n%2))
	_, err := r.Cookie("sid")
	switch {
	case r.URL.Path == "/signup":
		c.mu.Lock()
		c.users++
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: strconv.Itoa(c.users)})
		c.mu.Unlock()
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusFound)
	case r.URL.Path == "/ws":
		c.chat(w, r, err == nil)
	case err != nil || c.forgetful && n%2 == 0:
		w.Header().Set("Location", "/login")
		w.WriteHeader(http.StatusFound)
	}
}

func (c *community) chat(w http.ResponseWriter, r *http.Request, signedIn bool) {
	upgrader := websocket.Upgrader{}
	c.mu.Lock() // nobody sends before all that are connected are guests
	conn, err := upgrader.Upgrade(w, r, w.Header())
	if err == nil {
		c.guests = append(c.guests, conn)
	}
	c.mu.Unlock()
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if !signedIn {
			continue
		}
		c.mu.Lock()
		for _, guest := range c.guests {
			_ = guest.WriteMessage(websocket.TextMessage, []byte(strings.Replace(string(message), "NEWPROD", "PRODUCT", 1)))
		}
		c.mu.Unlock()
	}
}

// call runs loadgen with -json against c in an empty folder.
func call(t *testing.T, c *community, args ...string) (code int, r run.Record, stderr string) {
	t.Helper()
	srv := httptest.NewServer(c)
	defer srv.Close()
	dir := t.TempDir()
	t.Chdir(dir)
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	stdout, errs := open("stdout"), open("stderr")
	code = loadgen(append([]string{"-json", "-quiet", "-target", srv.URL, "-out", "runs"}, args...), stdout, errs)
	text, err := os.ReadFile(stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(errs.Name())
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("loadgen printed what is no record: %v\n%s", err, text)
		}
	}
	return code, r, string(said)
}

func TestSessionScenario(t *testing.T) {
	c := &community{}
	code, r, stderr := call(t, c, "-scenario", "session", "-users", "12", "-rate", "300", "-duration", "400ms", "-warmup", "100ms")
	if code != cli.OK && r.Lagged() == nil || r.Scenario != "session" || r.Session == nil || r.Session.Users != 12 || r.Session.Breaks != 0 ||
		r.Session.Requests != r.Requests || r.Status["200"] != r.Requests {
		t.Errorf("exit %d, record of %q with session %+v, status %v, stderr %q; want 0 breaks of 12 users", code, r.Scenario, r.Session, r.Status, stderr)
	}
	if c.users != 12 {
		t.Errorf("%d users signed up, want 12", c.users)
	}

	code, r, stderr = call(t, &community{forgetful: true}, "-scenario", "session", "-users", "5", "-rate", "300", "-duration", "400ms", "-warmup", "0s")
	if code != cli.Verdict || r.Session.Breaks == 0 || r.Session.Breaks != r.Status["302"] || !strings.Contains(stderr, "session breaks") {
		t.Errorf("forgetful: exit %d, session %+v, stderr %q; want breaks and exit %d", code, r.Session, stderr, cli.Verdict)
	}
}

func TestWebSocketScenario(t *testing.T) {
	code, r, stderr := call(t, &community{}, "-scenario", "ws", "-clients", "10", "-rate", "100", "-duration", "400ms", "-warmup", "100ms")
	if code != cli.OK || r.WS == nil {
		t.Fatalf("exit %d, stderr %q, record %+v; want 0 and deliveries", code, stderr, r)
	}
	ws := r.WS
	if ws.Clients != 10 || ws.Sent != 40 || ws.Delivered != 400 || ws.Lost+ws.Doubled+ws.OutOfOrder != 0 || len(ws.Upstreams) != 2 {
		t.Errorf("deliveries %+v; want 40 products at 10 clients of two upstreams", ws)
	}
	if r.Requests != 10 || r.Status["101"] != 10 || r.SuccessRatio != 1 || r.ActualRate != 100 || r.Latency.P99 == 0 || r.Latency.HDR == "" {
		t.Errorf("record of %d requests %v, rate %v, latency %+v; want ten connections, 100 products/s and their latency", r.Requests, r.Status, r.ActualRate, r.Latency)
	}
}

func TestScenariosWithoutAnybody(t *testing.T) {
	for _, scenario := range []string{"session", "ws"} {
		dir := t.TempDir()
		t.Chdir(dir)
		stderr, err := os.Create(filepath.Join(dir, "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		code := loadgen([]string{"-quiet", "-scenario", scenario, "-target", "127.0.0.1:1"}, stderr, stderr)
		text, _ := os.ReadFile(stderr.Name())
		if code != cli.Failure || !strings.Contains(string(text), "sign up user") || !strings.Contains(string(text), "refused") {
			t.Errorf("-scenario %s: exit %d, %q; want %d and a refused sign-up", scenario, code, text, cli.Failure)
		}
	}
}
