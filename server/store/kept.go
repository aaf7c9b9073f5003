package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"balanceo/server/news"
)

// session returns a session that lives at the time now, if one is kept and nobody can have ended it. The lease is
// looked at first: what was told before is out of the memory then.
func (h *hearing) session(key string, now time.Time) (found Session, turn uint64, ok bool) {
	h.mu.RLock()
	l := h.listener
	h.mu.RUnlock()
	current := l != nil && l.Current()
	h.mu.RLock()
	defer h.mu.RUnlock()
	if current {
		found, ok = h.sessions[key]
	}
	return found, h.turn, ok && found.ExpiresAt.After(now)
}

// keep keeps a session that was read after turn.
func (h *hearing) keep(found Session, turn uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener == nil || h.turn != turn {
		return
	}
	if len(h.sessions) >= sessionsKept {
		for other := range h.sessions {
			delete(h.sessions, other)
			break
		}
	}
	h.sessions[found.Key] = found
}

// renewed lets a kept session live until then.
func (h *hearing) renewed(key string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if found, ok := h.sessions[key]; ok && until.After(found.ExpiresAt) {
		found.ExpiresAt = until
		h.sessions[key] = found
	}
}

// settle returns once no process accepts a session that has just been removed from the database. Where nobody
// answers for them, it waits for as long as one of them may.
func (s *Store) settle(ctx context.Context, removed time.Time) error {
	s.hearing.mu.RLock()
	l := s.hearing.listener
	s.hearing.mu.RUnlock()
	left := time.Until(removed.Add(news.Life))
	if l != nil {
		try, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		if l.Settle(try) == nil {
			return nil
		}
	} else if _, err := s.where(ctx); err != nil {
		if errors.Is(err, errSilent) { // every process asks the database each time
			return nil
		}
		return err
	}
	wait(ctx, time.Until(removed.Add(news.Life)))
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: waiting until a session has ended everywhere: %w: %w", ErrUnavailable, err)
	}
	return nil
}
