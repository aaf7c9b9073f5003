package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fasthttp/websocket"

	"balanceo/server/store"
)

const (
	// hubLinger is how long the hub keeps following the products after its last client left: a page that is
	// loaded again, or a person who looks at another one, finds it warm.
	hubLinger = 30 * time.Second
	// hubRest is how long it waits before it follows again after a panic.
	hubRest = time.Second
)

// hub brings the products to the websockets of this process. While it has clients it follows the store and
// keeps the newest products, so that each client gets one list and then each further product once; without
// clients it asks the database nothing. Each message is encoded once, whoever gets it.
type hub struct {
	store *store.Store
	guard *guard
	who   identity // says in each list whose websocket this is

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
	newest  []encodedProduct           // newest first
	list    *websocket.PreparedMessage // newest as a message; nil: to be encoded
}

func newHub(s *store.Store, g *guard, who identity) *hub {
	return &hub{store: s, guard: g, who: who, clients: map[*client]struct{}{}}
}

// join adds a client, which gets the list as soon as it is known. It reports false where there is no room for
// it, or the hub is closed.
func (h *hub) join(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.clients) >= socketsMost {
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
		c.send(h.message())
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
		h.linger = time.AfterFunc(hubLinger, func() { h.guard.run("resting", h.rest) })
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

// follow starts to follow; h.mu is held. What panics is followed again.
func (h *hub) follow() {
	ctx, stop := context.WithCancel(context.Background())
	f := &following{stop: stop}
	h.current = f
	h.work.Go(func() {
		for !h.guard.run("following the products", func() { h.store.Follow(ctx, listMost, h.follower(f)) }) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(hubRest):
			}
		}
	})
}

// follower is what the store tells f. One that was stopped may still be told something: it is no longer current
// then.
func (h *hub) follower(f *following) store.Follower {
	current := func(then func()) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.current == f {
			then()
		}
	}
	return store.Follower{
		Start: func(newest []store.Product) {
			current(func() {
				f.started, f.list, f.newest = true, nil, nil
				for _, p := range newest {
					if e, ok := sendable(p); ok {
						f.newest = append(f.newest, e)
					}
				}
				h.broadcast(h.message())
			})
		},
		Product: func(p store.Product) {
			current(func() {
				e, ok := sendable(p)
				if !ok {
					return
				}
				f.newest = append([]encodedProduct{e}, f.newest[:min(len(f.newest), listMost-1)]...)
				f.list = nil
				h.broadcast(prepare(encode(eventProduct, e)))
			})
		},
		Resumed: func() {
			current(func() {
				for c := range h.clients {
					c.lookAgain()
				}
			})
		},
		Ended: func(key string) {
			current(func() {
				for c := range h.clients {
					if c.key == key {
						c.sessionOver()
					}
				}
			})
		},
	}
}

// sendable encodes a product. One that JSON can't carry, written by another client of the database, is left out.
func sendable(p store.Product) (e encodedProduct, ok bool) {
	e, err := encodeProduct(p)
	if err != nil {
		slog.Warn("product was left out", "id", p.ID.Hex(), "error", err)
	}
	return e, err == nil
}

// message is the list; h.mu is held.
func (h *hub) message() *websocket.PreparedMessage {
	if f := h.current; f.list == nil {
		f.list = prepare(encodeList(f.newest, h.who))
	}
	return h.current.list
}

// broadcast sends a message to all clients; h.mu is held. It never waits for one.
func (h *hub) broadcast(message *websocket.PreparedMessage) {
	for c := range h.clients {
		c.send(message)
	}
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
