package ledger

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// place is where parts of a load meet.
type place struct {
	came map[int]bool
	all  chan struct{} // closed when all have come
	at   time.Time     // when that was
}

// most parts that may meet.
const mostParts = 10000

// meet answers when all parts have come, with the time at which the last one did. Who has come and goes away
// nevertheless counts as here: its caller tries again.
func (l *Ledger) meet(w http.ResponseWriter, r *http.Request) {
	part, err1 := strconv.Atoi(r.URL.Query().Get("part"))
	parts, err2 := strconv.Atoi(r.URL.Query().Get("parts"))
	if err1 != nil || err2 != nil || part < 0 || part >= parts || parts > mostParts {
		http.Error(w, "want part=K and parts=N with K from 0 to N-1", http.StatusBadRequest)
		return
	}
	p := l.come(r.PathValue("name"), part, parts)
	select {
	case <-p.all:
		writeTime(w, p.at)
	case <-r.Context().Done():
	}
}

// come takes down that a part has come.
func (l *Ledger) come(name string, part, parts int) *place {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.places[name]
	if p == nil {
		p = &place{came: map[int]bool{}, all: make(chan struct{})}
		l.places[name] = p
	}
	if !p.came[part] {
		p.came[part] = true
		if len(p.came) == parts {
			p.at = time.Now()
			close(p.all)
		}
	}
	return p
}

// Meet waits until all parts of a load have come to the place of that name in the ledger at addr, and returns when the
// last one did, by the ledger's clock.
func Meet(ctx context.Context, addr, name string, part, parts int) (time.Time, error) {
	query := url.Values{"part": {strconv.Itoa(part)}, "parts": {strconv.Itoa(parts)}}
	var lastErr error
	for ctx.Err() == nil {
		at, err := askTime(ctx, addr+pathMeet+url.PathEscape(name)+"?"+query.Encode())
		if err == nil {
			return at, nil
		}
		lastErr = err
		select {
		case <-ctx.Done():
		case <-time.After(shipPeriod):
		}
	}
	return time.Time{}, fmt.Errorf("waiting for the other parts of %d: %w", parts, lastErr)
}
