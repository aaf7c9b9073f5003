package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// How a process ends without losing a request.
//
// It stops accepting; what waits in the socket's queue is accepted by the other processes that have it. From
// then on each answer says "Connection: close". What is open then is either used once more, and so closed by
// agreement, or idle. Closing an idle connection can cross a request on its way, which nginx repeats for GET
// but not for POST. nginx takes the connection that it used last first; so those that stay unused for
// quietTime are at the bottom of its stack, and the chance of such a crossing is the time that the closing
// takes to arrive over the time between two requests that reach so far down.
const (
	quietTime   = 300 * time.Millisecond
	drainLimit  = 7 * time.Second        // of the whole; less than cluster.Grace
	orphanLimit = 500 * time.Millisecond // when the parent has died and nobody waits
)

// drain ends the server within limit.
func (s *server) drain(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	if err := s.ln.Close(); err != nil {
		slog.Warn("closing the listener", "error", err)
	}
	close(s.draining)
	var acceptErr error
	select { // whatever was accepted is known from here on
	case acceptErr = <-s.served:
	case <-ctx.Done():
	}
	goodbye := make(chan error, 1)
	go func() { goodbye <- s.app.Close(ctx) }()
	left := s.conns.end(ctx)
	err := errors.Join(acceptErr, <-goodbye)
	slog.Info("drained", "took", time.Since(begin).Round(time.Millisecond), "left", left)
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("%d connections were busy for %v after the order to end", left, limit))
	}
	return err
}

// closingWhenDraining asks the client to close the connection after an answer, once the process drains.
func (s *server) closingWhenDraining(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		next(ctx)
		select {
		case <-s.draining:
			if !ctx.Hijacked() {
				ctx.SetConnectionClose()
			}
		default:
		}
	}
}

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

func (l *trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
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

// busy is the idle time of a connection that is being served.
const busy = 0

// trackedConn knows since when it has been idle.
type trackedConn struct {
	net.Conn
	connections *connections
	idle        atomic.Int64 // since when, in Unix nanoseconds, or busy
	closed      atomic.Bool
}

func (c *trackedConn) Close() error {
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
