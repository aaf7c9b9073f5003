package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// cheapHasher hashes at the least cost, for tests of something else.
func cheapHasher(t testing.TB) *hasher {
	h := newHasher()
	h.cost = bcrypt.MinCost
	hash, err := bcrypt.GenerateFromPassword([]byte("nobody's"), h.cost)
	if err != nil {
		t.Fatal(err)
	}
	h.nobody = string(hash)
	return h
}

func TestPasswordsOfNobodyCostTheSame(t *testing.T) {
	h := newHasher()
	long := strings.Repeat("x", passwordMost)
	hash, err := h.hash("secreta")
	if err != nil {
		t.Fatal(err)
	}
	longHash, err := h.hash(long)
	if err != nil {
		t.Fatal(err)
	}
	for what, hash := range map[string]string{"own": hash, "nobody's": nobody} {
		if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost != passwordCost {
			t.Errorf("cost of the hash that is %s: got %d, %v; want %d", what, cost, err, passwordCost)
		}
	}
	for _, c := range []struct {
		hash, password string
		want           bool
	}{
		{hash, "secreta", true},
		{hash, "Secreta", false},
		{hash, "", false},
		{hash, strings.Repeat("x", 1000), false},
		{longHash, long, true},
		{longHash, long + "y", false}, // bcrypt itself reads no further
		{"", "secreta", false},
		{"", "", false},
	} {
		if got := h.matches(c.hash, c.password); got != c.want {
			t.Errorf("matches(%q, %.20q) = %t, want %t", c.hash, c.password, got, c.want)
		}
	}
	// Other load only makes it longer, and without hashing it would take microseconds.
	began := time.Now()
	h.matches("", "wrong")
	if took := time.Since(began); took < 5*time.Millisecond {
		t.Errorf("nobody's password is looked at for %v, which is no hashing", took)
	}
}

// However many wait from one address, somebody from another waits for one of them at most.
func TestHashingIsFairBetweenAddresses(t *testing.T) {
	h := newHasher()
	h.free, h.atOnce = 0, 1 // the test has the turn
	var order []string      // written by whoever has the one turn
	var all sync.WaitGroup
	ask := func(address string, refused bool) {
		t.Helper()
		h.mu.Lock()
		before := h.all
		h.mu.Unlock()
		done := make(chan error, 1)
		all.Go(func() {
			done <- h.inTurn(context.WithoutCancel(t.Context()), address, func() error {
				order = append(order, address)
				return nil
			})
		})
		if refused {
			if err := <-done; !errors.Is(err, errOverloaded) {
				t.Errorf("one more from %s: %v, want errOverloaded", address, err)
			}
			return
		}
		for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Microsecond) { // until it waits
			h.mu.Lock()
			arrived := h.all > before
			h.mu.Unlock()
			if arrived || time.Now().After(deadline) {
				return
			}
		}
	}
	for range hashesWaiting {
		ask("a", false)
	}
	ask("a", true)
	ask("b", false)
	h.leave()
	all.Wait()
	if len(order) != hashesWaiting+1 || !slices.Contains(order[:2], "b") {
		t.Errorf("turns were given to %v, want b among the first two", order)
	}
	if h.free != 1 || h.all != 0 || len(h.waiting) != 0 || len(h.next) != 0 {
		t.Errorf("afterwards the queue is %+v, want it empty", h)
	}
}

// On a machine so busy that a hash takes half a second and more, somebody who waits behind a full queue of another
// address gets in all the same.
func TestHashingOnABusyMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		h.free, h.atOnce = 1, 1
		hash := func() error { time.Sleep(600 * time.Millisecond); return nil }
		var guesser sync.WaitGroup
		for range hashesWaiting + 1 {
			guesser.Go(func() { _ = h.inTurn(t.Context(), "a", hash) })
		}
		synctest.Wait() // they are hashing and waiting
		began := time.Now()
		if err := h.inTurn(t.Context(), "b", hash); err != nil {
			t.Errorf("somebody else after %v: %v, want a turn", time.Since(began), err)
		}
		guesser.Wait()
	})
}

// Who gives up leaves nothing behind.
func TestHashingGivesUp(t *testing.T) {
	synctest.Test(t, testHashingGivesUp)
}

func testHashingGivesUp(t *testing.T) {
	h := newHasher()
	h.free = 0
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, address := range []string{"a", "a", "b"} {
		if err := h.inTurn(ctx, address, func() error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("inTurn = %v, want context.Canceled", err)
		}
	}
	if err := h.inTurn(t.Context(), "a", func() error { return nil }); !errors.Is(err, errOverloaded) {
		t.Errorf("inTurn that waits too long = %v, want errOverloaded", err)
	}
	if h.all != 0 || len(h.waiting) != 0 || len(h.next) != 0 {
		t.Errorf("afterwards the queue is %+v, want it empty", h)
	}
}
