package attack

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
	"balanceo/topology/ports"
)

// listen serves each connection with handle until the test is over.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return ln.Addr().String()
}

// request reads one request.
func request(conn net.Conn) bool {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	return err == nil && r != nil
}

// refused is an address at which nothing listens.
func refused(t *testing.T) string {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// errorsOf counts the classes of the hits.
func errorsOf(hits list) map[tally.Class]int {
	out := map[tally.Class]int{}
	for _, h := range hits {
		out[h.Err]++
	}
	return out
}

// A name that is not resolved because the name server doesn't answer is no slow server.
func TestSilentNameServer(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", silent.LocalAddr().String())
	}}
	for _, engine := range []Engine{Fast, Vegeta} {
		var hits list
		cfg := config(localTarget(t, "http://nowhere.example"), pace.NewSchedule(pace.Constant(20), 0, 200*time.Millisecond), &hits)
		cfg.Engine, cfg.Timeout = engine, 200*time.Millisecond
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if got := errorsOf(hits); got[tally.DNS] != 4 || len(got) != 1 {
			t.Errorf("%s: %v, want 4 of class dns", engine, got)
		}
	}
}

func TestFailures(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = discardLog()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	write := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			if request(c) {
				_, _ = io.WriteString(c, text)
			}
		}
	}
	reset := func(c net.Conn) {
		if request(c) {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	}
	silent := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

	for _, test := range []struct {
		name, target string
		insecure     bool
		want         tally.Class
	}{
		{"refused", refused(t), false, tally.ConnectRefused},
		{"no such host", "http://no-such-host.invalid", false, tally.DNS},
		{"silent", listen(t, silent), false, tally.Timeout},
		{"silent at the handshake", "https://" + listen(t, silent), false, tally.ConnectTimeout},
		{"slow body", listen(t, func(c net.Conn) {
			if request(c) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
				silent(c)
			}
		}), false, tally.Timeout},
		{"reset", listen(t, reset), false, tally.Reset},
		{"closed", listen(t, write("")), false, tally.EOF},
		{"closed in the header", listen(t, write("HTTP/1.1 200 OK\r\nContent-")), false, tally.EOF},
		{"closed in the body", listen(t, write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")), false, tally.EOF},
		{"closed in a chunk", listen(t, write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf")), false, tally.EOF},
		{"not in chunks", listen(t, write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")), false, tally.BadResponse},
		{"chunks and a trailer", listen(t, func(c net.Conn) {
			for request(c) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\nDigest: x\r\n\r\n")
			}
		}), false, tally.NoError},
		{"no HTTP", listen(t, write("220 mail.example.com ESMTP\r\n\r\n")), false, tally.BadResponse},
		{"unknown authority", secure.URL, false, tally.TLS},
		{"no tally.TLS", strings.Replace(plain.URL, "http:", "https:", 1), true, tally.TLS},
		{"404", plain.URL, false, tally.HTTP4xx},
		{"404 behind tally.TLS", secure.URL, true, tally.HTTP4xx},
		{"until closed", listen(t, write("HTTP/1.1 200 OK\r\n\r\nall of it")), false, tally.NoError},
		{"interim answer", listen(t, write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")), false, tally.NoError},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var hits list
			cfg := config(localTarget(t, test.target), pace.NewSchedule(pace.Constant(50), 0, 200*time.Millisecond), &hits)
			cfg.Timeout, cfg.Client.TLS = 20*time.Second, &tls.Config{InsecureSkipVerify: test.insecure}
			if test.want == tally.Timeout || test.want == tally.ConnectTimeout {
				cfg.Timeout = 300 * time.Millisecond
			}
			began := time.Now()
			if _, err := Run(context.Background(), cfg); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[tally.Class]int{test.want: 10}, errorsOf(hits)); diff != "" {
				t.Errorf("classes of failure (-want +got):\n%s", diff)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("Run took %v", took)
			}
		})
	}
}

func TestTenthFails(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer srv.Close()
	var hits list
	if _, err := Run(context.Background(), config(localTarget(t, srv.URL),
		pace.NewSchedule(pace.Constant(500), 0, time.Second), &hits)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[tally.Class]int{tally.NoError: 450, tally.HTTP5xx: 50}, errorsOf(hits)); diff != "" {
		t.Errorf("classes of failure (-want +got):\n%s", diff)
	}
}

// TestClosedWhileKept has a server that closes each connection with the third request on it, unanswered.
func TestClosedWhileKept(t *testing.T) {
	addr := listen(t, func(c net.Conn) {
		for range 2 {
			if !request(c) {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		request(c)
	})
	for _, test := range []struct {
		method string
		want   map[tally.Class]int
		resent int64
	}{
		// One worker: every third request meets a closed connection. A GET is sent again and is then the
		// first of two on the new one; a POST must not be.
		{"GET", map[tally.Class]int{tally.NoError: 30}, 14},
		{"POST", map[tally.Class]int{tally.NoError: 20, tally.EOF: 10}, 0},
	} {
		var hits list
		cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(60), 0, 500*time.Millisecond), &hits)
		cfg.Workers = 1
		cfg.Requests[0].Method = test.method
		out, err := Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := errorsOf(hits)
		if got[tally.Reset] > 0 { // the answer to a write on a closed connection may come first
			got[tally.EOF] += got[tally.Reset]
			delete(got, tally.Reset)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || out.Resent != test.resent {
			t.Errorf("%s: %d resent, want %d; classes of failure (-want +got):\n%s", test.method, out.Resent, test.resent, diff)
		}
	}
}

func TestInterrupted(t *testing.T) {
	addr := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(context.Background())
	var hits list
	cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(20), 0, time.Hour), &hits)
	cfg.Timeout, cfg.Drain = time.Hour, 50*time.Millisecond
	time.AfterFunc(500*time.Millisecond, cancel)
	began := time.Now()
	out, err := Run(ctx, cfg)
	if err != nil || !out.Partial || out.Measured < 400*time.Millisecond || out.Measured > time.Since(began) {
		t.Errorf("Run: %+v, %v", out, err)
	}
	if got := errorsOf(hits); got[tally.Interrupted] != len(hits) || len(hits) < 5 {
		t.Errorf("classes of failure: %v", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Run took %v", took)
	}
}

// TestStopsWhileWaiting ends an attack whose next hit is due in an hour.
func TestStopsWhileWaiting(t *testing.T) {
	addr := listen(t, func(net.Conn) {})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var hits list
	if _, err := Run(ctx, config(localTarget(t, addr), pace.NewSchedule(pace.Constant(1.0/3600), 0, 10*time.Hour), &hits)); err != nil {
		t.Fatal(err)
	}
	if len(hits) != 1 {
		t.Errorf("%d hits, want 1", len(hits))
	}
}

func TestClassify(t *testing.T) {
	dial := func(err error) error { return dialError{&net.OpError{Op: "dial", Net: "tcp", Err: err}} }
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	for _, test := range []struct {
		err  error
		want tally.Class
	}{
		{nil, tally.NoError},
		{dial(syscall.ECONNREFUSED), tally.ConnectRefused},
		{dial(syscall.EHOSTUNREACH), tally.ConnectUnreachable},
		{dial(syscall.ENETUNREACH), tally.ConnectUnreachable},
		{dial(syscall.EADDRNOTAVAIL), tally.NoPorts},
		{dial(syscall.EMFILE), tally.NoFiles},
		{dial(syscall.ETIMEDOUT), tally.ConnectTimeout},
		{dial(context.DeadlineExceeded), tally.ConnectTimeout},
		{dial(syscall.EACCES), tally.ConnectFailed},
		{dial(&net.DNSError{Err: "no such host", Name: "x"}), tally.DNS},
		{read(syscall.ECONNRESET), tally.Reset},
		{read(syscall.EPIPE), tally.Reset},
		{read(syscall.ETIMEDOUT), tally.Timeout},
		{responseError{fmt.Errorf("header: %w", io.ErrUnexpectedEOF)}, tally.EOF},
		{responseError{errors.New("no status")}, tally.BadResponse},
		{handshakeError{tls.RecordHeaderError{}}, tally.TLS},
		{handshakeError{context.DeadlineExceeded}, tally.ConnectTimeout},
		{handshakeError{io.EOF}, tally.TLS},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, tally.TLS},
		{errors.New("timeout"), tally.Other},
	} {
		if got := classify(test.err); got != test.want {
			t.Errorf("classify(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for _, test := range []struct {
		text string
		want Target
	}{
		{":80", Target{Addr: "127.0.0.1:80", Host: "127.0.0.1:80"}},
		{"example.com", Target{Addr: "example.com:80", Host: "example.com"}},
		{"example.com:8080", Target{Addr: "example.com:8080", Host: "example.com:8080"}},
		{"https://example.com/app/", Target{Addr: "example.com:443", Host: "example.com", TLS: true, Prefix: "/app", Slash: "/"}},
		{"http://example.com/app", Target{Addr: "example.com:80", Host: "example.com", Prefix: "/app"}},
		{"http://[::1]:81", Target{Addr: "[::1]:81", Host: "[::1]:81"}},
		{"", Target{}},
		{":", Target{}},
		{":99999", Target{}},
		{":0", Target{}},
		{"ftp://example.com", Target{}},
		{"http://a:b@example.com", Target{}},
		{"http://example.com?x=1", Target{Addr: "example.com:80", Host: "example.com", Query: "?x=1"}},
		{"http://exa mple.com", Target{}},
	} {
		got, err := ParseTarget(test.text)
		if got != test.want || (err == nil) != (test.want != Target{}) {
			t.Errorf("ParseTarget(%q) = %+v, %v, want %+v", test.text, got, err, test.want)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{":80", "https://[::1]/x", "a:b:c", "http://%zz", "://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text)
		if err != nil {
			return
		}
		if _, port, err := net.SplitHostPort(target.Addr); err != nil || port == "" || port == "0" {
			t.Errorf("ParseTarget(%q) = %+v", text, target)
		}
		if _, err := (&Config{Target: target}).encode(Get("/")); err != nil {
			t.Errorf("ParseTarget(%q): request can't be encoded: %v", text, err)
		}
	})
}
