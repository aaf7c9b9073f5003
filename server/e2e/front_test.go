//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// What nginx passes on of its clients' word, and what it keeps from them.
func TestE2EFront(t *testing.T) {
	front := layoutUp(t)
	signup := func(from, email, proto string) string {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, front+"/signup", strings.NewReader(form(email, "una clave").Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-Proto", proto)
		resp, err := clientAt(from).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return strings.ToLower(resp.Header.Get("Set-Cookie"))
	}
	for _, c := range []struct {
		from, proto string
		secure      bool
	}{{"127.0.0.1", "https", true}, {"127.0.0.1", "", false}, {"127.0.0.1", "ftp", false}, {attackerAt, "https", false}} {
		if set := signup(c.from, fmt.Sprintf("%d@example.com", time.Now().UnixNano()), c.proto); !strings.Contains(set, "balanceo=") || strings.Contains(set, "; secure") != c.secure {
			t.Errorf("X-Forwarded-Proto %q from %s: Set-Cookie %q, want Secure: %t", c.proto, c.from, set, c.secure)
		}
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		resp, err := http.Get(front + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound || resp.Header.Get("X-Instance") != "" {
			t.Errorf("GET %s through nginx: %s of %q, want 404 of nginx itself", path, resp.Status, resp.Header.Get("X-Instance"))
		}
	}
}

// TestE2EManySockets prints what a websocket costs its process.
func TestE2EManySockets(t *testing.T) {
	s := serve(t, build(t), t.TempDir())
	rss := func() int64 {
		t.Helper()
		resp, err := http.Get(s.url() + "/info")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var facts struct{ RSS int64 }
		if err := json.NewDecoder(resp.Body).Decode(&facts); err != nil {
			t.Fatal(err)
		}
		return facts.RSS
	}
	c := clientAt("127.0.0.1")
	_, resp := post(c, s.url()+"/signup", url.Values{"email": {"ana@example.com"}, "password": {"una clave"}, "name": {"Ana"}})
	if resp == nil || len(resp.Cookies()) == 0 {
		t.Fatal("signing up gave no cookie")
	}
	header := http.Header{"Cookie": {resp.Cookies()[0].String()}}
	open := func(n int) {
		t.Helper()
		for range n {
			conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.url(), "http")+"/ws", header)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			if _, _, err := conn.ReadMessage(); err != nil { // the list
				t.Fatal(err)
			}
		}
	}
	open(100) // what the first ones bring about is not theirs
	before := rss()
	const n = 1000
	open(n)
	each := float64(rss()-before) / n
	t.Logf("%.1f kB for each of %d websockets", each/1e3, n)
	if each > 20e3 {
		t.Errorf("a websocket costs %.1f kB, want 20 at most", each/1e3)
	}
}
