package main

import (
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"balanceo/server/store/storetest"
)

// A process that is stopped at the moment of a sign-out accepts the cookie of no request that was sent after the
// answer to /logout, when it goes on.
func TestFrozenProcessAcceptsNoSignedOutCookie(t *testing.T) {
	t.Parallel()
	db := storetest.Start(t, t.TempDir(), "127.0.0.1:0")
	servers := make([]*proc, 3)
	for i := range servers {
		cmd := command(t)
		cmd.Env = append(cmd.Env, "MONGO_URL="+db.URL)
		servers[i] = startOn(t, listen(t), cmd)
	}
	accepted := func(p *proc, cookie string) bool {
		res, body := p.send(http.MethodGet, "/checkAuth", cookie, "")
		if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable { // 503: on a machine that is too busy
			t.Errorf("GET /checkAuth: %d %s", res.StatusCode, body)
		}
		return strings.Contains(body, "true")
	}
	const form = "email=ana@example.com&password=correct-horse&name=Ana"
	if res, body := servers[0].send(http.MethodPost, "/signup", "", form); res.StatusCode != http.StatusFound {
		t.Fatalf("POST /signup: %d %s", res.StatusCode, body)
	}
	for range 5 {
		res, _ := servers[0].send(http.MethodPost, "/login", "", form)
		var pairs []string
		for _, c := range res.Cookies() {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		cookie := strings.Join(pairs, "; ")
		for range 50 { // until all know it
			for i, p := range servers {
				for limit := time.Now().Add(30 * time.Second); !accepted(p, cookie); {
					if time.Now().After(limit) {
						t.Fatalf("server %d does not accept a cookie after signing in", i)
					}
				}
			}
		}
		frozen := servers[1]
		frozen.signal(syscall.SIGSTOP)
		if res, _ := servers[0].send(http.MethodGet, "/logout", cookie, ""); res.StatusCode != http.StatusOK {
			frozen.signal(syscall.SIGCONT)
			t.Fatalf("GET /logout: %d", res.StatusCode)
		}
		var sent sync.WaitGroup
		for i, p := range servers { // the one that is stopped finds the requests when it goes on
			for range 10 {
				sent.Go(func() {
					if accepted(p, cookie) {
						t.Errorf("server %d accepts a cookie after the answer to /logout", i)
					}
				})
			}
		}
		frozen.signal(syscall.SIGCONT)
		sent.Wait()
	}
}
