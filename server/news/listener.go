package news

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Listener is a process's connection to a broker. Its methods may be called from any goroutine.
type Listener struct {
	Greeting []byte // what the broker said first; nil: nothing

	conn  net.Conn
	in    *bufio.Reader
	began time.Time
	until atomic.Int64  // end of the lease, in ns after began; the clock goes on while the process is stopped
	asked atomic.Int64  // when a lease was asked for last, likewise
	ended chan struct{} // closed when nothing is heard any more

	writing sync.Mutex

	mu       sync.Mutex
	released bool // no lease is taken any more
	settling map[uint64]chan struct{}
	last     uint64 // number of the last question
}

var errEnded = errors.New("the connection for news has ended")

// Listen connects to the broker at addr. Every item that is told after it returns will be heard by Run.
func Listen(ctx context.Context, addr, token string) (*Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("news: %w", err)
	}
	l := &Listener{conn: conn, in: bufio.NewReader(conn), began: time.Now(), ended: make(chan struct{}), settling: map[uint64]chan struct{}{}}
	l.asked.Store(-int64(Life))
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err = l.write(frame{kind: hello, payload: []byte(token)})
	var f frame
	if err == nil {
		f, err = readFrame(l.in)
	}
	if err == nil && f.kind != welcome {
		err = fmt.Errorf("answer %d to hello", f.kind)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("news from %s: %w", addr, err)
	}
	l.Greeting = f.payload
	return l, nil
}

// Run gives every item to take, in order, until the connection or ctx ends. It is to be called once; the lease
// ends with it. Where ctx ends, nobody waits for this listener any more.
func (l *Listener) Run(ctx context.Context, take func(item []byte)) error {
	stop := context.AfterFunc(ctx, func() {
		l.release()
		_ = l.write(frame{kind: bye})
		_ = l.conn.Close()
	})
	defer stop()
	defer func() {
		l.release()
		close(l.ended)
		_ = l.conn.Close()
	}()
	for {
		f, err := readFrame(l.in)
		if err != nil {
			return fmt.Errorf("news: %w", err)
		}
		switch f.kind {
		case item:
			take(f.payload)
			if err := l.write(frame{kind: heard, number: f.number}); err != nil {
				return err
			}
		case granted:
			l.mu.Lock()
			if !l.released {
				l.until.Store(int64(f.number) + int64(Life)) //nolint:gosec // what was sent
			}
			l.mu.Unlock()
		case settled:
			l.mu.Lock()
			if done := l.settling[f.number]; done != nil {
				close(done)
			}
			l.mu.Unlock()
		default:
			return fmt.Errorf("news: a frame of kind %d", f.kind)
		}
	}
}

// release ends the lease for good.
func (l *Listener) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
	l.until.Store(0)
}

// Current tells whether a copy that was made while listening, and that no item has changed, may be used now. It asks
// for a lease in time, as long as it is called.
func (l *Listener) Current() bool {
	now, until := int64(time.Since(l.began)), l.until.Load()
	if until-now < int64(Life)/2 {
		if asked := l.asked.Load(); now-asked > int64(Life)/8 && l.asked.CompareAndSwap(asked, now) {
			_ = l.write(frame{kind: renew, number: uint64(now)}) //nolint:gosec // since began
		}
	}
	return now < until
}

// Settle returns once nobody relies on anything that changed before. It takes no longer than Life; an error means
// that it is not known.
func (l *Listener) Settle(ctx context.Context) error {
	done := make(chan struct{})
	l.mu.Lock()
	l.last++
	number := l.last
	l.settling[number] = done
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.settling, number)
		l.mu.Unlock()
	}()
	if err := l.write(frame{kind: settle, number: number}); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-l.ended:
		return errEnded
	case <-ctx.Done():
		return fmt.Errorf("news: settling: %w", ctx.Err())
	}
}

func (l *Listener) write(f frame) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.conn.SetWriteDeadline(time.Now().Add(writeWait))
	if err == nil {
		_, err = l.conn.Write(f.append(nil))
	}
	if err != nil {
		_ = l.conn.Close() // a part may have been written
		return fmt.Errorf("news: %w", err)
	}
	return nil
}
