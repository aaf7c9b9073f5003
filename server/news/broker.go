// Package news tells processes of what happens in a database, at once and in one order, and lets each know how long
// it may rely on having been told of everything.
//
// A Broker belongs to the process of the database. Its listeners hear each item that is told, in order, over one
// connection. A listener that keeps a copy of something, and must not use it after it has changed, asks for a lease:
// while that lasts it has heard of every change that anybody was told to be settled. Settle is how the one who made
// a change waits for that: until every listener has taken the change in, or its lease is over. Nothing renews a
// lease but use, so that idle processes send nothing.
//
//	frame.go     what goes over the wire
//	broker.go    the broker and its order
//	settling.go  leases, and who waits for their end
//	listener.go  the other end
package news

import (
	"bufio"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"sync"
	"time"
)

// Limits of one listener's connection.
const (
	helloWait = 5 * time.Second
	writeWait = time.Second
	framesDue = 1024 // that wait for a slow listener before it is dropped; it starts over
)

// Broker tells listeners. Its methods may be called from any goroutine and never wait.
type Broker struct {
	token string
	ln    net.Listener
	greet func() []byte
	work  sync.WaitGroup
	ended chan struct{}
	wake  chan struct{} // something is in the queue, or the broker is closed

	mu        sync.Mutex
	closed    bool
	queue     []func() // run one after the other: this is the order
	conns     map[net.Conn]struct{}
	listeners map[*peer]struct{} // those of the connections that have said hello
	last      uint64             // number of the last item
	gone      time.Time          // until when listeners without a connection may rely on what they heard
	waiting   map[*settling]struct{}
}

// peer is a listener as the broker sees it.
type peer struct {
	conn  net.Conn
	out   chan frame
	heard uint64
	until time.Time // end of its lease
}

// NewBroker starts a broker on ln, which it closes. Each listener gets first what greet returns, in the order: it
// has what was told before, and what comes after it is told. A broker before this one may have granted leases up to
// now.
func NewBroker(ln net.Listener, greet func() []byte) *Broker {
	b := &Broker{
		token: rand.Text(), ln: ln, greet: greet, ended: make(chan struct{}), wake: make(chan struct{}, 1), gone: time.Now().Add(Life),
		conns: map[net.Conn]struct{}{}, listeners: map[*peer]struct{}{}, waiting: map[*settling]struct{}{},
	}
	b.work.Go(b.accept)
	b.work.Go(b.run)
	return b
}

// Token is what listeners have to know.
func (b *Broker) Token() string { return b.token }

// Close ends the broker and all connections.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	close(b.ended)
	for s := range b.waiting {
		s.timer.Stop()
	}
	b.dropAll()
	b.mu.Unlock()
	err := b.ln.Close()
	b.signal()
	b.work.Wait()
	return err
}

// Tell enters a change into the order. When it is its turn, change returns what the listeners get; the change must
// be there for everybody to see by then. Until then no lease is granted that was asked for after it. An error means
// that it is not known what has changed: all listeners start over.
func (b *Broker) Tell(change func() (items [][]byte, err error)) {
	b.enter(func() {
		items, err := change()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, payload := range items {
			if len(payload) > payloadMost {
				err = fmt.Errorf("an item of %d bytes", len(payload))
			}
		}
		if err != nil {
			b.dropAll()
			return
		}
		for _, payload := range items {
			b.last++
			for p := range b.listeners {
				p.send(frame{item, b.last, payload})
			}
		}
	})
}

// enter appends to the order.
func (b *Broker) enter(task func()) {
	b.mu.Lock()
	b.queue = append(b.queue, task)
	b.mu.Unlock()
	b.signal()
}

func (b *Broker) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run does what is in the queue.
func (b *Broker) run() {
	for range b.wake {
		for {
			b.mu.Lock()
			if b.closed {
				b.mu.Unlock()
				return
			}
			if len(b.queue) == 0 {
				b.queue = nil
				b.mu.Unlock()
				break
			}
			task := b.queue[0]
			b.queue = b.queue[1:]
			b.mu.Unlock()
			task()
		}
	}
}

// dropAll ends all connections; b.mu is held.
func (b *Broker) dropAll() {
	for conn := range b.conns {
		_ = conn.Close()
	}
}

// accept takes listeners until the broker is closed.
func (b *Broker) accept() {
	for {
		conn, err := b.ln.Accept()
		b.mu.Lock()
		closed := b.closed
		if err == nil && !closed {
			b.conns[conn] = struct{}{}
		}
		b.mu.Unlock()
		switch {
		case err == nil && closed:
			_ = conn.Close()
			return
		case closed:
			return
		case err != nil: // no descriptor is left
			time.Sleep(helloWait / 100)
		default:
			b.work.Go(func() { b.serve(conn) })
		}
	}
}

// serve reads what a listener says until the connection ends.
func (b *Broker) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		b.mu.Lock()
		delete(b.conns, conn)
		b.mu.Unlock()
	}()
	r := bufio.NewReaderSize(conn, 512)
	if conn.SetReadDeadline(time.Now().Add(helloWait)) != nil {
		return
	}
	f, err := readFrame(r)
	if err != nil || f.kind != hello || subtle.ConstantTimeCompare(f.payload, []byte(b.token)) != 1 || conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	p := &peer{conn: conn, out: make(chan frame, framesDue)}
	added := make(chan bool, 1)
	b.enter(func() { added <- b.add(p) })
	select {
	case <-b.ended:
		return
	case ok := <-added:
		if !ok {
			return
		}
	}
	defer b.remove(p)
	b.work.Go(p.write)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		read := time.Now()
		switch f.kind {
		case renew:
			b.enter(func() { b.grant(p, f.number, read.Add(Life)) })
		case settle:
			b.enter(func() { b.settle(p, f.number) })
		case heard:
			b.heard(p, f.number)
		case bye:
			b.release(p)
		default:
			return
		}
	}
}

// add makes p a listener: it gets every item from now on.
func (b *Broker) add(p *peer) bool {
	greeting := b.greet()
	if len(greeting) > payloadMost {
		greeting = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	p.heard = b.last
	b.listeners[p] = struct{}{}
	p.send(frame{kind: welcome, payload: greeting})
	return true
}

// remove forgets a listener whose connection has ended. It may not know that yet, and rely on its lease.
func (b *Broker) remove(p *peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, p)
	close(p.out)
	if p.until.After(b.gone) {
		b.gone = p.until
	}
}

// send queues a frame; the broker's mu is held. Whoever is too slow is dropped.
func (p *peer) send(f frame) {
	select {
	case p.out <- f:
	default:
		_ = p.conn.Close()
	}
}

// write writes what is queued, as much as there is at once.
func (p *peer) write() {
	var b []byte
	for f := range p.out {
		b = f.append(b[:0])
		for more := true; more && len(b) < 32<<10; {
			select {
			case f, ok := <-p.out:
				if more = ok; ok {
					b = f.append(b)
				}
			default:
				more = false
			}
		}
		if p.conn.SetWriteDeadline(time.Now().Add(writeWait)) != nil {
			break
		}
		if _, err := p.conn.Write(b); err != nil {
			break
		}
	}
	_ = p.conn.Close()
}
