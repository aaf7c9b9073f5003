package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// flight is what the client notes of a request while it is under way.
type flight struct {
	number    uint64
	due, sent time.Duration
	route     int
	delay     delay
	dialled   time.Duration // when connecting began
	connect   time.Duration
	connected bool
	again     bool
	conn      uint64
	first     atomic.Int64 // these three are told by the transport, which may outlive the request
	secure    atomic.Bool
	resolving atomic.Bool
	bytes     int64
	err       error
}

// numberOf reads the number of a hit from its X-Request-Id.
func numberOf(h http.Header) uint64 {
	text := h.Get(HeaderRequestID)
	n, _ := strconv.ParseUint(text[strings.LastIndexByte(text, '-')+1:], 10, 64) // target wrote it
	return n
}

// RoundTrip implements http.RoundTripper. vegeta keeps of an error only its text, so a failure is an answer without
// a status to it, and the error stays in the flight.
func (v *attacker) RoundTrip(r *http.Request) (*http.Response, error) {
	id := r.Header.Get(HeaderRequestID)
	n := numberOf(r.Header)
	v.mu.Lock()
	f := v.flights[n]
	v.mu.Unlock()
	// http.Client's own time-out would be told as a cancelled request now and then.
	ctx, cancel := context.WithDeadline(httptrace.WithClientTrace(r.Context(), v.trace(f)), v.zero.Add(f.sent+v.cfg.Timeout))
	release := context.AfterFunc(v.abort, cancel) //nolint:contextcheck // it ends a request beside the context that it has
	r = r.Clone(ctx)
	r.Header.Del("X-Vegeta-Seq") // no part of the load
	if v.cfg.RequestID == "" {
		r.Header.Del(HeaderRequestID)
	}
	f.bytes = 0 // but for those of a redirect
	resp, err := v.client.RoundTrip(r)
	if err != nil {
		release()
		cancel()
		f.err = f.explain(err)
		return &http.Response{Body: http.NoBody, Header: http.Header{HeaderRequestID: {id}}, Status: classify(f.err).String(), Request: r}, nil
	}
	if resp.StatusCode == http.StatusSwitchingProtocols { // its body is the connection, which no deadline ends
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	if resp.StatusCode < 100 {
		f.err = malformed{errStatus}
	}
	resp.Header.Set(HeaderRequestID, id)
	resp.Body = &body{resp.Body, f, func() { release(); cancel() }}
	return resp, nil
}

// numbered is a connection with a number of its own.
type numbered struct {
	net.Conn
	number uint64
}

// numberOfConn is the number of a connection, beneath its TLS where there is any; 0: it has none.
func numberOfConn(c net.Conn) uint64 {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if n, ok := c.(*numbered); ok {
		return n.number
	}
	return 0
}

// explain adds to an error in which part of the request it occurred.
func (f *flight) explain(err error) error {
	var dial dialError
	switch {
	case errors.As(err, &dial), errors.Is(err, context.Canceled):
		return err
	case !f.connected && f.secure.Load() && !isTimeout(err):
		return handshakeError{err}
	case !f.connected && f.resolving.Load() && isTimeout(err):
		return &net.DNSError{Err: "no answer", IsTimeout: true}
	case !f.connected && isTimeout(err):
		return dialError{errTimeout}
	case f.connected:
		return responseError{err}
	}
	return err
}

func (v *attacker) trace(f *flight) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:           func(string) { f.dialled = v.now() },
		DNSStart:          func(httptrace.DNSStartInfo) { f.resolving.Store(true) },
		DNSDone:           func(httptrace.DNSDoneInfo) { f.resolving.Store(false) },
		TLSHandshakeStart: func() { f.secure.Store(true) },
		GotConn: func(i httptrace.GotConnInfo) {
			f.again = f.again || f.connected // the transport's second try, or a redirect
			f.connected = true
			if !v.cfg.NoKeepAlive {
				f.conn = numberOfConn(i.Conn)
			}
			if !i.Reused {
				f.connect = max(v.now()-f.dialled, 1)
			}
		},
		GotFirstResponseByte: func() { f.first.Store(int64(max(v.now()-f.sent, 1))) },
	}
}

// body counts what is read, and keeps the error that ends it: vegeta would return a Result without a header.
type body struct {
	io.ReadCloser
	flight *flight
	done   func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.flight.bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		if b.flight.err == nil { // whoever reads on is told that the connection is closed
			b.flight.err = b.flight.explain(err)
		}
		err = io.EOF
	}
	return n, err
}

func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
