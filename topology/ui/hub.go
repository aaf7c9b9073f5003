package ui

import (
	"encoding/json"
	"sync"
)

// hub sends updates to all pages that are open. A page that does not keep up is let go; its browser comes back.
type hub struct {
	mu     sync.Mutex
	pages  map[chan []byte]bool
	closed bool
}

// backlog is how many updates wait for a page.
const backlog = 32

// join returns where a page gets its updates from, closed when there are none any more; first comes before all others.
func (h *hub) join(first func() *update) (updates chan []byte, err error) {
	updates = make(chan []byte, backlog)
	h.mu.Lock()
	defer h.mu.Unlock()
	text, err := json.Marshal(first())
	if err != nil {
		return nil, err
	}
	if h.closed {
		close(updates)
		return updates, nil
	}
	if h.pages == nil {
		h.pages = map[chan []byte]bool{}
	}
	h.pages[updates] = true
	updates <- text
	return updates, nil
}

func (h *hub) leave(updates chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pages, updates)
}

func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.pages) > 0
}

func (h *hub) send(u *update) {
	text, err := json.Marshal(u)
	if err != nil {
		return // it has numbers and texts only
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for page := range h.pages {
		select {
		case page <- text:
		default:
			delete(h.pages, page)
			close(page)
		}
	}
}

// close lets all pages go.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for page := range h.pages {
		close(page)
	}
	h.pages = nil
}
