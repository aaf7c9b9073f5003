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
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, p.at.UnixNano())
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
		at, err := meetOnce(ctx, addr+pathMeet+url.PathEscape(name)+"?"+query.Encode())
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

func meetOnce(ctx context.Context, url string) (time.Time, error) {
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
