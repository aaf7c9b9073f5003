package app

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"
)

// Bounds of hashing. A hash of cost 10 takes about 50 ms of one core.
const (
	passwordCost  = 10
	hashesWaiting = 12              // per hash at a time; further ones are refused at once
	hashWait      = 1 * time.Second // longest wait for one's turn
)

// nobody's password, for passwordCost: what a password is compared with where there is no such user, so that the answer takes as
// long. It is the hash of 32 random bytes that were thrown away.
const nobody = "$2a$10$x9uYEUiQX4HdsanC25k2YOiasUKzshrTBkBtcurNJk6iK9RlYiase"

// errOverloaded is how hashing more passwords than the bound is refused.
var errOverloaded = errors.New("too many passwords at once")

// hasher hashes passwords, at most as many at once as leave half of the cores to other requests.
type hasher struct {
	cost              int
	nobody            string // hash of cost
	running, admitted *semaphore.Weighted
}

func newHasher() *hasher {
	atOnce := max(1, int64(runtime.GOMAXPROCS(0)/2))
	return &hasher{
		cost:     passwordCost,
		nobody:   nobody,
		running:  semaphore.NewWeighted(atOnce),
		admitted: semaphore.NewWeighted(atOnce * (1 + hashesWaiting)),
	}
}

// hash returns the hash of a password of at most 72 bytes.
func (h *hasher) hash(ctx context.Context, password string) (hash string, err error) {
	err = h.inTurn(ctx, func() error {
		out, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
		hash = string(out)
		return err
	})
	return hash, err
}

// matches tells whether hash is that of password. An empty hash takes as long, and is nobody's.
func (h *hasher) matches(ctx context.Context, hash, password string) (ok bool, err error) {
	against := hash
	if hash == "" {
		against = h.nobody
	}
	err = h.inTurn(ctx, func() error {
		ok = bcrypt.CompareHashAndPassword([]byte(against), []byte(password)) == nil
		return nil
	})
	return ok && hash != "", err
}

func (h *hasher) inTurn(ctx context.Context, work func() error) error {
	if !h.admitted.TryAcquire(1) {
		return errOverloaded
	}
	defer h.admitted.Release(1)
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	if h.running.Acquire(ctx, 1) != nil {
		return errOverloaded
	}
	defer h.running.Release(1)
	return work()
}
