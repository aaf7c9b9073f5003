package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"balanceo/server/store"
)

// How many wrong passwords are taken in a window: for one account from one address, and from one address for all
// accounts. Nothing is counted by account alone: whoever guesses would lock its owner out.
const (
	guessWindow  = 15 * time.Minute
	guessAccount = 10
	guessAddress = 100
)

// guesses counts wrong passwords, for all processes together.
type guesses struct{ store *store.Store }

// guess is one attempt to sign in.
type guess struct {
	account, address string    // under what its failure is counted
	until            time.Time // end of the window
}

func newGuess(email, address string, now time.Time) guess {
	window := now.Truncate(guessWindow)
	key := func(parts ...any) string {
		sum := sha256.Sum256(fmt.Append(nil, append(parts, window.Unix())...))
		return hex.EncodeToString(sum[:16])
	}
	return guess{account: key(email, "\x00", address), address: key(address), until: window.Add(guessWindow)}
}

// refused tells how long an attempt has to wait; 0: not at all.
func (g guesses) refused(try guess) (time.Duration, error) {
	if g.store == nil {
		return 0, errNoStore
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	counts, err := g.store.Failures(ctx, try.account, try.address)
	if err != nil || counts[0] < guessAccount && counts[1] < guessAddress {
		return 0, err
	}
	return max(time.Until(try.until), time.Second), nil
}

// failed counts a wrong password.
func (g guesses) failed(try guess) error {
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return g.store.CountFailure(ctx, try.until, try.account, try.address)
}
