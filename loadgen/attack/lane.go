package attack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/loadgen/tally"
)

// dialer makes connections to the target.
type dialer struct {
	target  Target
	tls     *tls.Config // nil: plain
	timeout time.Duration
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var nd net.Dialer
	conn, err := nd.DialContext(ctx, "tcp", d.target.Addr)
	if err != nil {
		return nil, dialError{err}
	}
	if d.tls == nil {
		return conn, nil
	}
	secured := tls.Client(conn, d.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeError{err}
	}
	return secured, nil
}

// lane is a connection that carries one request at a time, with what it needs to read answers. It belongs
// to the worker that took it; only cut is called from elsewhere.
type lane struct {
	reader *bufio.Reader
	resp   fasthttp.Response
	hit    tally.Hit // that is under way
	posted posted

	idleSince time.Duration

	// since is when the request under way began, in nanoseconds of the attack plus 1; 0: none is, and
	// cutting: it was cut off, so the connection is of no use any more.
	since atomic.Int64
	mu    sync.Mutex // held to change conn and to cut it off
	conn  net.Conn   // nil: not connected
}

const cutting = -1

func (l *lane) begin(now time.Duration) { l.since.Store(int64(now) + 1) }

// end is called when the request that began at began is over, with its outcome. It tells whether the request
// was cut off. Only a connection whose request succeeded is kept.
func (l *lane) end(began time.Duration, keep bool) (cut bool) {
	cut = !l.since.CompareAndSwap(int64(began)+1, 0)
	if cut || !keep {
		l.disconnect()
		l.since.Store(0)
	}
	return cut
}

// cut breaks the request under way off, if it began at or before that time.
func (l *lane) cut(latest time.Duration) {
	since := l.since.Load()
	if since <= 0 || since > int64(latest)+1 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.CompareAndSwap(since, cutting) && l.conn != nil {
		_ = l.conn.SetDeadline(time.Unix(1, 0))
	}
}

func (l *lane) connect(ctx context.Context, d *dialer) error {
	conn, err := d.dial(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	if l.since.Load() == cutting { // while it was dialled
		_ = conn.SetDeadline(time.Unix(1, 0))
	}
	if l.reader == nil {
		l.reader = bufio.NewReaderSize(conn, 8<<10)
	} else {
		l.reader.Reset(conn)
	}
	return nil
}

func (l *lane) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// posted is a request that was written and not answered yet.
type posted struct {
	wire  *wire
	bytes []byte
	kept  bool  // on a connection that carried others before
	err   error // of connecting and writing
}

// reply is what came of a request.
type reply struct {
	body   int64 // bytes
	some   bool  // at least one byte of an answer came
	keep   bool  // the connection can carry another request
	resent int   // how often the request was sent beyond once
}

// receive reads the answer, whose body it drops. head tells that it has none.
func (l *lane) receive(head bool) (r reply, err error) {
	// The parser would call any failure on the first byte an end of file.
	if _, err := l.reader.Peek(1); err != nil {
		return r, err
	}
	r.some = true
	header := &l.resp.Header
	for {
		if err := header.Read(l.reader); err != nil {
			return r, responseError{err}
		}
		if code := header.StatusCode(); code >= 200 || code == fasthttp.StatusSwitchingProtocols {
			break
		} // else an interim answer, as 103 Early Hints
	}
	r.body, err = l.dropBody(head)
	r.keep = err == nil && !header.ConnectionClose() && header.ContentLength() != untilClose && header.StatusCode() != fasthttp.StatusSwitchingProtocols
	return r, err
}

// dropBody reads the body of the answer whose header was read, and keeps none of it.
func (l *lane) dropBody(head bool) (int64, error) {
	code, length := l.resp.Header.StatusCode(), l.resp.Header.ContentLength()
	switch {
	case head, code < 200, code == fasthttp.StatusNoContent, code == fasthttp.StatusNotModified:
		return 0, nil
	case length >= 0:
		n, err := l.reader.Discard(length)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return int64(n), err
	case length == untilClose:
		return io.Copy(io.Discard, l.reader)
	}
	n, err := io.Copy(io.Discard, httputil.NewChunkedReader(l.reader))
	for err == nil { // the trailer: lines up to an empty one
		var line []byte
		if line, err = l.reader.ReadSlice('\n'); len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	if err != nil {
		err = responseError{err}
	}
	return n, err
}

// untilClose is what fasthttp calls the length of a body that ends with the connection.
const untilClose = -2
