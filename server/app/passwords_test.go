package app

import (
	"errors"
	"strings"
	"sync"
	"testing"
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
	hash, err := h.hash(t.Context(), "secreta")
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
		{"", "secreta", false},
		{"", "", false},
	} {
		if got, err := h.matches(t.Context(), c.hash, c.password); err != nil || got != c.want {
			t.Errorf("matches(%q, %.20q) = %t, %v; want %t", c.hash, c.password, got, err, c.want)
		}
	}
	// Other load only makes it longer, and without hashing it would take microseconds.
	began := time.Now()
	if _, err := h.matches(t.Context(), "", "wrong"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 5*time.Millisecond {
		t.Errorf("nobody's password is looked at for %v, which is no hashing", took)
	}
}

func TestHashingIsBounded(t *testing.T) {
	h := newHasher()
	var wg sync.WaitGroup
	results := make(chan error, 100)
	for range cap(results) {
		wg.Go(func() {
			_, err := h.matches(t.Context(), "", "wrong")
			results <- err
		})
	}
	wg.Wait()
	close(results)
	done, refused := 0, 0
	for err := range results {
		switch {
		case err == nil:
			done++
		case errors.Is(err, errOverloaded):
			refused++
		default:
			t.Errorf("matches: %v", err)
		}
	}
	if done == 0 || refused == 0 {
		t.Errorf("of %d at once %d were done and %d refused, want some of both", cap(results), done, refused)
	}
}
