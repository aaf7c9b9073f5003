package app

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Bounds of hashing. A hash of cost 10 takes about 50 ms of one core.
const (
	passwordCost    = 10
	passwordMost    = 72              // bytes; bcrypt reads no more
	hashesWaiting   = 12              // of one address, per hash at a time; further ones are refused at once
	hashesWaitAll   = 256             // of all addresses
	hashWaitLongest = 5 * time.Second // for one's turn: on a busy machine two hashes may take more than one
)

// nobody's password, for passwordCost: what a password is compared with where there is no such user, so that the answer takes as
// long. It is the hash of 32 random bytes that were thrown away.
const nobody = "$2a$10$x9uYEUiQX4HdsanC25k2YOiasUKzshrTBkBtcurNJk6iK9RlYiase"

// errOverloaded is how hashing more passwords than the bound is refused.
var errOverloaded = errors.New("too many passwords at once")

// hasher hashes passwords, at most as many at once as leave half of the cores to other requests. Those who wait
// get their turn address by address: however many come from one, everybody else waits for one of them at most.
type hasher struct {
	cost   int
	nobody string // hash of cost

	mu      sync.Mutex
	free    int                        // hashes that may begin at once
	atOnce  int                        // of an idle hasher
	waiting map[string][]chan struct{} // by address; a channel is closed when it is its turn
	next    []string                   // addresses with somebody waiting, in their order
	all     int                        // how many wait
}

func newHasher() *hasher {
	atOnce := max(1, runtime.GOMAXPROCS(0)/2)
	return &hasher{cost: passwordCost, nobody: nobody, free: atOnce, atOnce: atOnce, waiting: map[string][]chan struct{}{}}
}

// hash returns the hash of a password of at most passwordMost bytes. It is to be called in turn.
func (h *hasher) hash(password string) (string, error) {
	out, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	return string(out), err
}

// matches tells whether hash is that of password. An empty hash takes as long, and is nobody's, and so does a
// password of which bcrypt would read only the beginning. It is to be called in turn.
func (h *hasher) matches(hash, password string) bool {
	if hash == "" || len(password) > passwordMost {
		_ = bcrypt.CompareHashAndPassword([]byte(h.nobody), []byte("x"))
		return false
	}
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
}

// inTurn does work for an address when it is its turn.
func (h *hasher) inTurn(ctx context.Context, address string, work func() error) error {
	turn, err := h.enter(address)
	if err != nil {
		return err
	}
	longest := time.NewTimer(hashWaitLongest)
	defer longest.Stop()
	select {
	case <-turn:
	case <-longest.C:
		err = errOverloaded
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil && h.giveUp(address, turn) {
		return err
	}
	defer h.leave()
	return work()
}

// enter queues up; the channel is closed when it is one's turn.
func (h *hasher) enter(address string) (turn chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	turn = make(chan struct{})
	if h.free > 0 {
		h.free--
		close(turn)
		return turn, nil
	}
	queue := h.waiting[address]
	if len(queue) >= hashesWaiting*h.atOnce || h.all >= hashesWaitAll {
		return nil, errOverloaded
	}
	if len(queue) == 0 {
		h.next = append(h.next, address)
	}
	h.waiting[address] = append(queue, turn)
	h.all++
	return turn, nil
}

// leave gives the turn to the address that is next.
func (h *hasher) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.next) == 0 {
		h.free++
		return
	}
	address := h.next[0]
	turn := h.waiting[address][0]
	h.next = h.next[1:]
	if h.remove(address, 0) {
		h.next = append(h.next, address)
	}
	close(turn)
}

// giveUp leaves the queue. It reports false if the turn has come meanwhile.
func (h *hasher) giveUp(address string, turn chan struct{}) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := slices.Index(h.waiting[address], turn)
	if at < 0 {
		return false
	}
	if !h.remove(address, at) {
		h.next = slices.DeleteFunc(h.next, func(a string) bool { return a == address })
	}
	return true
}

// remove takes one out of an address's queue and tells whether others wait there.
func (h *hasher) remove(address string, at int) (others bool) {
	h.all--
	h.waiting[address] = slices.Delete(h.waiting[address], at, at+1)
	if len(h.waiting[address]) == 0 {
		delete(h.waiting, address)
		return false
	}
	return true
}
