package balancertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Server is one server behind the balancer. It counts what it gets.
type Server struct {
	*httptest.Server
	Addr string
	n    atomic.Int64
	mu   sync.Mutex
	last *http.Request
}

// NewServer starts a server that answers everything with 200, /status/CODE with that status, and websockets with
// an echo of what comes first.
func NewServer(t *testing.T) *Server {
	t.Helper()
	s := &Server{}
	s.Server = httptest.NewUnstartedServer(s)
	s.Addr = s.Listener.Addr().String()
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.n.Add(1)
	s.mu.Lock()
	s.last = r.Clone(context.WithoutCancel(r.Context()))
	s.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	if r.Header.Get("Upgrade") == "websocket" {
		echo(w)
		return
	}
	if code, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/status/")); err == nil {
		w.WriteHeader(code)
		return
	}
	_, _ = fmt.Fprintln(w, s.Addr)
}

// echo takes the connection over and sends back the first bytes that come.
func echo(w http.ResponseWriter) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") // for the key that the client sends here
	_ = rw.Flush()
	got := make([]byte, 4)
	if _, err := io.ReadFull(rw, got); err == nil {
		_, _ = c.Write(got)
	}
}

func (s *Server) port() int { return s.Listener.Addr().(*net.TCPAddr).Port }
