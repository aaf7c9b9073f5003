package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// connections are those that are open.
type connections struct {
	opened func(n int64) // told of every change

	mu  sync.Mutex
	all map[*trackedConn]struct{}
}

func newConnections(opened func(n int64)) *connections {
	return &connections{opened: opened, all: map[*trackedConn]struct{}{}}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// end closes each connection when it has been idle for quietTime, and returns when none is left or ctx is
// done; then it closes the rest and says how many these were.
func (c *connections) end(ctx context.Context) (left int) {
	begin := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		idle, open := c.idleSince(begin, time.Now().Add(-quietTime))
		closeConns(idle)
		if open == len(idle) {
			return 0
		}
		select {
		case <-ctx.Done():
			rest, n := c.idleSince(time.Time{}, time.Now())
			closeConns(rest)
			return n - len(rest)
		case <-tick.C:
		}
	}
}

// idleSince lists the connections that have been idle since before a time; begin stands for any earlier one.
func (c *connections) idleSince(begin, before time.Time) (idle []*trackedConn, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.all {
		since := conn.idle.Load()
		if since == busy {
			continue
		}
		if max(since, begin.UnixNano()) <= before.UnixNano() {
			idle = append(idle, conn)
		}
	}
	return idle, len(c.all)
}

func closeConns(conns []*trackedConn) {
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// trackedListener enters what it accepts into connections.
type trackedListener struct {
	net.Listener
	connections *connections
}

// Accept waits while the process has no descriptor left, instead of failing: fasthttp would end over it.
func (l *trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	for pause := 5 * time.Millisecond; outOfDescriptors(err); pause = min(2*pause, time.Second) {
		slog.Warn("no connection can be accepted for now", "error", err, "again_in", pause)
		time.Sleep(pause)
		conn, err = l.Listener.Accept()
	}
	if err != nil {
		return nil, err
	}
	tracked := &trackedConn{Conn: conn, connections: l.connections}
	tracked.idle.Store(time.Now().UnixNano())
	l.connections.opened(1)
	l.connections.mu.Lock()
	l.connections.all[tracked] = struct{}{}
	l.connections.mu.Unlock()
	return tracked, nil
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// busy is the idle time of a connection that is being served.
const busy = 0

// trackedConn knows since when it has been idle.
type trackedConn struct {
	net.Conn
	connections *connections
	idle        atomic.Int64 // since when, in Unix nanoseconds, or busy
	detached    atomic.Bool
	closed      atomic.Bool
}

// Detach returns the connection for whoever hijacked it to keep and to close. fasthttp closes what it has given to a
// hijack handler when that returns, and keeps the request and an empty buffer of headBuffer until then: with Detach the
// handler can return at once.
func (c *trackedConn) Detach() net.Conn {
	c.detached.Store(true)
	return detachedConn{c}
}

type detachedConn struct{ *trackedConn }

func (c detachedConn) Close() error { return c.end() }

// Close is fasthttp's, and means nothing to a connection that was detached.
func (c *trackedConn) Close() error {
	if c.detached.Load() {
		return nil
	}
	return c.end()
}

func (c *trackedConn) end() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.connections.opened(-1)
	c.connections.mu.Lock()
	delete(c.connections.all, c)
	c.connections.mu.Unlock()
	return c.Conn.Close()
}

// changeState keeps a connection's idle time, as the ConnState hook of a server. A hijacked one, a websocket,
// stays busy: who hijacked it closes it.
func changeState(conn net.Conn, state fasthttp.ConnState) {
	c, ok := conn.(*trackedConn)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateActive, fasthttp.StateHijacked:
		c.idle.Store(busy)
	case fasthttp.StateIdle:
		c.idle.Store(time.Now().UnixNano())
	}
}
