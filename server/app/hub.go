package app

import (
	"context"
	"sync"
	"time"

	"balanceo/server/store"
)

// hubLinger is how long the hub keeps following the products after its last client left: a page that is loaded
// again, or a person who looks at another one, finds it warm.
const hubLinger = 30 * time.Second

// hub brings the products to the websockets of this process. While it has clients it follows the store and
// keeps the newest products, so that each client gets one list and then each further product once; without
// clients it asks the database nothing.
type hub struct {
	store *store.Store

	mu      sync.Mutex
	clients map[*client]struct{}
	current *following // nil: not following
	linger  *time.Timer
	closed  bool
	work    sync.WaitGroup // followings and clients
}

// following is one stretch of following the store.
type following struct {
	stop    context.CancelFunc
	started bool
	newest  []store.Product // newest first
	list    []byte          // newest as a message; nil: to be encoded
}

func newHub(s *store.Store) *hub {
	return &hub{store: s, clients: map[*client]struct{}{}}
}

// join adds a client, which gets the list as soon as it is known. It reports false once the hub is closed.
func (h *hub) join(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.work.Add(1)
	h.clients[c] = struct{}{}
	if h.linger != nil {
		h.linger.Stop()
		h.linger = nil
	}
	switch {
	case h.current == nil && h.store != nil:
		h.follow()
	case h.current != nil && h.current.started:
		c.send(h.current.message())
	}
	return true
}

// leave removes a client that joined.
func (h *hub) leave(c *client) {
	defer h.work.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	if len(h.clients) == 0 && h.current != nil && !h.closed {
		h.linger = time.AfterFunc(hubLinger, h.rest)
	}
}

// rest stops following if nobody is there.
func (h *hub) rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) == 0 && h.current != nil {
		h.current.stop()
		h.current = nil
	}
}

// follow starts to follow; h.mu is held.
func (h *hub) follow() {
	ctx, stop := context.WithCancel(context.Background())
	f := &following{stop: stop}
	h.current = f
	// A following that was stopped may still be told something: it is no longer current then.
	guarded := func(then func()) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.current == f {
			then()
		}
	}
	h.work.Go(func() {
		h.store.Follow(ctx, listMost, store.Follower{
			Start: func(newest []store.Product) {
				guarded(func() {
					f.started, f.newest = true, newest
					h.broadcast(f.message())
				})
			},
			Product: func(p store.Product) {
				guarded(func() {
					f.add(p)
					h.broadcast(encode(eventProduct, p))
				})
			},
			Ended: func(key string) {
				guarded(func() {
					for c := range h.clients {
						if c.key == key {
							c.sessionOver()
						}
					}
				})
			},
		})
	})
}

func (f *following) add(p store.Product) {
	if len(f.newest) >= listMost {
		f.newest = f.newest[:listMost-1]
	}
	f.newest = append([]store.Product{p}, f.newest...)
	f.list = nil
}

func (f *following) message() []byte {
	if f.list == nil {
		f.list = encode(eventList, f.newest)
	}
	return f.list
}

// broadcast sends a message to all clients; h.mu is held. It never waits for one.
func (h *hub) broadcast(message []byte) {
	for c := range h.clients {
		c.send(message)
	}
}

// size is how many clients there are.
func (h *hub) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

// close tells every client to come back elsewhere, and waits until they and the following are gone, at most
// until ctx ends.
func (h *hub) close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	if h.linger != nil {
		h.linger.Stop()
	}
	if h.current != nil {
		h.current.stop()
		h.current = nil
	}
	for c := range h.clients {
		c.restart()
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
