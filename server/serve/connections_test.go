package serve

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
)

// scripted is a listener that gives what it is told to.
type scripted struct {
	net.Listener
	gives []any // net.Conn or error
}

func (l *scripted) Accept() (net.Conn, error) {
	next := l.gives[0]
	l.gives = l.gives[1:]
	if conn, ok := next.(net.Conn); ok {
		return conn, nil
	}
	return nil, next.(error)
}

// accept returns a connection in the hands of a server.
func accept(t *testing.T, c *connections) *trackedConn {
	t.Helper()
	ours, _ := net.Pipe()
	l := &trackedListener{Listener: &scripted{gives: []any{ours}}, connections: c}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*trackedConn)
}

// A connection that was detached lives on when fasthttp closes it, and ends once with whoever has it.
func TestDetach(t *testing.T) {
	open := int64(0)
	c := newConnections(func(n int64) { open += n })
	conn := accept(t, c)
	changeState(conn, fasthttp.StateHijacked)
	kept := conn.Detach()
	if err := conn.Close(); err != nil || open != 1 || c.count() != 1 {
		t.Errorf("closed by fasthttp: %v, %d open, %d known; want it to live", err, open, c.count())
	}
	if err := kept.SetDeadline(time.Time{}); err != nil {
		t.Errorf("a detached connection can't be used: %v", err)
	}
	if err := kept.Close(); err != nil || open != 0 || c.count() != 0 {
		t.Errorf("closed: %v, %d open, %d known; want none", err, open, c.count())
	}
	if err := kept.Close(); !errors.Is(err, net.ErrClosed) || open != 0 {
		t.Errorf("closed again: %v, %d open", err, open)
	}
}

func TestAcceptWaitsForDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := int64(0)
		ours, _ := net.Pipe()
		l := &trackedListener{
			Listener:    &scripted{gives: []any{&net.OpError{Err: syscall.EMFILE}, &net.OpError{Err: syscall.ENFILE}, ours, net.ErrClosed}},
			connections: newConnections(func(n int64) { open += n }),
		}
		conn, err := l.Accept()
		if err != nil || open != 1 {
			t.Fatalf("Accept = %v, %v with %d open; want a connection after the errors", conn, err, open)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept of a closed listener = %v", err)
		}
		_ = conn.Close()
		_ = conn.Close() // as fasthttp does with a connection that was closed under it
		if open != 0 || l.connections.count() != 0 {
			t.Errorf("%d open and %d known after Close, want none", open, l.connections.count())
		}
	})
}

func TestEndClosesWhatIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnections(func(int64) {})
		accept(t, c) // never says anything
		used := accept(t, c)
		changeState(used, fasthttp.StateActive)
		hijacked := accept(t, c)
		changeState(hijacked, fasthttp.StateHijacked)
		time.Sleep(time.Hour) // how long it was idle before does not count
		begin := time.Now()
		var after []time.Duration
		var end sync.WaitGroup
		end.Go(func() {
			if left := c.end(t.Context()); left != 0 {
				t.Errorf("end left %d, want 0", left)
			}
			after = append(after, time.Since(begin))
		})
		time.Sleep(quietTime - time.Millisecond)
		if got := c.count(); got != 3 {
			t.Errorf("%d connections open shortly before quietTime is over, want 3", got)
		}
		time.Sleep(50 * time.Millisecond)
		if got := c.count(); got != 2 {
			t.Errorf("%d connections open after quietTime, want the two that are busy", got)
		}
		changeState(used, fasthttp.StateIdle)
		_ = hijacked.Close()
		end.Wait()
		if want := 2*quietTime + 50*time.Millisecond; after[0] < want-20*time.Millisecond || after[0] > want+20*time.Millisecond {
			t.Errorf("end took %v, want about %v", after[0], want)
		}
	})
}

func TestEndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnections(func(int64) {})
		busyConn := accept(t, c)
		changeState(busyConn, fasthttp.StateActive)
		accept(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), quietTime/2)
		defer cancel()
		if left := c.end(ctx); left != 1 {
			t.Errorf("end left %d, want the busy one", left)
		}
		if got := c.count(); got != 1 {
			t.Errorf("%d connections open, want the busy one: the idle one is closed in any case", got)
		}
	})
}
