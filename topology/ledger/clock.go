package ledger

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Clock is how far a clock is ahead of a ledger's, give or take Bound.
type Clock struct{ Offset, Bound time.Duration }

// clockAsked is how often a ledger is asked for the time: the quickest answer tells most.
const clockAsked = 8

// AskClock compares the clock now with that of the ledger at addr, until ctx ends. As NTP does, it takes the answer to be of
// the middle between question and answer, so that it is wrong by half the round trip at most.
func AskClock(ctx context.Context, addr string, now func() time.Time) (*Clock, error) {
	var best *Clock
	for answers := 0; answers < clockAsked; {
		asked, begun := now(), time.Now()
		theirs, err := askTime(ctx, addr+pathClock)
		trip := time.Since(begun)
		if err != nil {
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("the ledger's clock: %w", err)
			case <-time.After(shipPeriod):
			}
			continue
		}
		answers++
		if best == nil || trip/2 < best.Bound {
			best = &Clock{Offset: asked.Add(trip / 2).Sub(theirs), Bound: trip / 2}
		}
	}
	return best, nil
}

func writeTime(w http.ResponseWriter, at time.Time) {
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, at.UnixNano())
}

func askTime(ctx context.Context, url string) (time.Time, error) {
	resp, err := get(ctx, url)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	var ns int64
	if _, err := fmt.Fscan(resp.Body, &ns); err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, ns), nil
}
