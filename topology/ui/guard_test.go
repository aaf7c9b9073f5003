package ui

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func guardAt(t *testing.T, addr string) *guard {
	t.Helper()
	g, err := newGuard(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func ask(g *guard, method, host string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+host+"/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) })).ServeHTTP(w, r)
	return w
}

// A foreign page, and a foreign name that points here, get nothing and do nothing.
func TestGuardOnLoopback(t *testing.T) {
	g := guardAt(t, "127.0.0.1:8089")
	const json = "application/json"
	for _, tt := range []struct {
		method, host string
		headers      []string
		want         int
	}{
		{"GET", "127.0.0.1:8089", nil, 200},
		{"GET", "localhost:8089", nil, 200},
		{"GET", "[::1]:8089", nil, 200},
		{"GET", "127.0.0.1:8089", []string{"Origin", "http://127.0.0.1:8089", "Sec-Fetch-Site", "same-origin"}, 200},
		{"POST", "127.0.0.1:8089", []string{"Content-Type", json}, 200},
		{"POST", "localhost:8089", []string{"Content-Type", json, "Origin", "http://localhost:8089"}, 200},
		// DNS rebinding: the browser believes that the page of evil.example is here.
		{"GET", "evil.example:8089", nil, 403},
		{"GET", "evil.example", nil, 403},
		{"POST", "evil.example:8089", []string{"Content-Type", json, "Origin", "http://evil.example:8089"}, 403},
		{"GET", "127.0.0.1.evil.example:8089", nil, 403},
		{"GET", "127.0.0.1:9000", nil, 403},
		{"GET", "192.168.1.2:8089", nil, 403},
		// A foreign page asks straight.
		{"GET", "127.0.0.1:8089", []string{"Origin", "http://evil.example"}, 403},
		{"GET", "127.0.0.1:8089", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"GET", "127.0.0.1:8089", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"POST", "127.0.0.1:8089", []string{"Content-Type", json, "Origin", "null"}, 403},
		{"POST", "127.0.0.1:8089", []string{"Content-Type", json, "Origin", "http://127.0.0.1:9000"}, 403},
		{"POST", "127.0.0.1:8089", []string{"Content-Type", "text/plain"}, 403},
		{"POST", "127.0.0.1:8089", nil, 403},
	} {
		w := ask(g, tt.method, tt.host, tt.headers...)
		if w.Code != tt.want {
			t.Errorf("%s at %s with %q: got %d (%s), want %d", tt.method, tt.host, tt.headers, w.Code, strings.TrimSpace(w.Body.String()), tt.want)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("Content-Security-Policy: got %q", csp)
		}
	}
}

// Beyond this machine one has to know the token, which the address bar does not keep.
func TestGuardWithToken(t *testing.T) {
	g := guardAt(t, "192.0.2.7:8089")
	if g.token == "" || !strings.HasSuffix(g.url(), "/?token="+g.token) {
		t.Fatalf("token %q, URL %s", g.token, g.url())
	}
	if w := ask(g, "GET", "192.0.2.7:8089"); w.Code != 401 || strings.Contains(w.Body.String(), "in") && w.Body.String() == "in" {
		t.Errorf("without the token: got %d %q", w.Code, w.Body)
	}
	if w := ask(g, "GET", "192.0.2.7:8089", "Cookie", cookie+"8089=wrong"); w.Code != 401 {
		t.Errorf("with a wrong token: got %d", w.Code)
	}
	if w := ask(g, "GET", "evil.example:8089", "Cookie", cookie+"8089="+g.token); w.Code != 403 {
		t.Errorf("under another name: got %d", w.Code)
	}
	r := httptest.NewRequest(http.MethodGet, g.url(), nil)
	w := httptest.NewRecorder()
	g.protect(http.NotFoundHandler()).ServeHTTP(w, r)
	set := w.Header().Get("Set-Cookie")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") {
		t.Errorf("with the token in the URL: got %d to %q, cookie %q", w.Code, w.Header().Get("Location"), set)
	}
	if w := ask(g, "GET", "192.0.2.7:8089", "Cookie", cookie+"8089="+g.token); w.Code != 200 {
		t.Errorf("with the cookie: got %d", w.Code)
	}
	if g := guardAt(t, "[::1]:8089"); g.token != "" || g.url() != "http://[::1]:8089/" {
		t.Errorf("on ::1: token %q, URL %s", g.token, g.url())
	}
}
