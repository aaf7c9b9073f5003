package balancertest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"balanceo/topology/balancer"
)

// headers: servers and clients are told what they are to know, whatever the answer.
func headers(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{1}, 1)
	client := r.Client(t, 1)
	for path, want := range map[string]struct {
		status int
		group  string
	}{"/": {200, "a"}, "/status/404": {404, "a"}, "/status/503": {503, "a"}, "/b": {200, "b"}, "/bc/d": {200, "b"}, "/hidden/not": {200, "a"}, "/hidden": {404, ""}} {
		answer, err := r.Get(client, path, "X-Forwarded-For", "10.1.2.3", "X-Upstream", "forged")
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
			continue
		}
		addr := ""
		if g := r.Conf.Group(want.group); g != nil {
			addr = g.Servers[0].Addr
		}
		if answer.Status != want.status || answer.Header.Get("X-Upstream-Group") != want.group || answer.Header.Get("X-Upstream") != addr {
			t.Errorf("GET %s: got status %d, group %q, upstream %q, want %d, %q, %q", path, answer.Status,
				answer.Header.Get("X-Upstream-Group"), answer.Header.Get("X-Upstream"), want.status, want.group, addr)
		}
	}
	if _, err := r.Get(client, "/x%2Fy?q=%20z", "X-Forwarded-For", "10.1.2.3"); err != nil {
		t.Fatal(err)
	}
	s := r.server(r.Conf.Group("a").Servers[0].Addr)
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if want := strings.TrimPrefix(r.URL, "http://"); last.Host != want || last.RequestURI != "/x%2Fy?q=%20z" {
		t.Errorf("the server saw Host %q and %q, want %q and /x%%2Fy?q=%%20z", last.Host, last.RequestURI, want)
	}
	for name, want := range map[string]string{"X-Real-Ip": "127.0.0.1", "X-Forwarded-For": "10.1.2.3, 127.0.0.1", "X-Forwarded-Proto": "http"} {
		if got := strings.Join(last.Header.Values(name), " | "); got != want {
			t.Errorf("the server saw %s %q, want %q", name, got, want)
		}
	}
	if status := raw(t, r, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 1 MB where 64k are accepted: got status %d, want 413", status)
	}
}

// raw sends the bytes of a request and returns the status of the answer.
func raw(t *testing.T, r *Rig, request string) int {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// websocket: a connection that is upgraded passes both ways.
func websocket(t *testing.T, b balancer.Balancer) {
	r := rig(t, b, []int{1}, 1)
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: got %s, want 101", resp.Status)
	}
	_, _ = io.WriteString(c, "ping")
	got := make([]byte, 4)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "ping" {
		t.Errorf("through the websocket: got %q, %v, want ping", got, err)
	}
}
