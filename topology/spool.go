package main

import (
	"io"
	"sync"
	"time"
)

// spoolSize bounds what is held back of output that nobody takes.
const spoolSize = 1 << 20

// spool passes on what is written to it without ever letting the writer wait, so that a terminal that was stopped or
// a full pipe does not stall whoever keeps the layout. What does not fit any more is not shown.
type spool struct {
	mu     sync.Mutex
	buf    []byte
	closed bool
	wake   chan struct{} // holds one token while there is something to do
	done   chan struct{}
}

func newSpool(w io.Writer) *spool {
	s := &spool{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for range s.wake {
			s.mu.Lock()
			buf, closed := s.buf, s.closed
			s.buf = nil
			s.mu.Unlock()
			if _, err := w.Write(buf); err != nil || closed {
				return
			}
		}
	}()
	return s
}

func (s *spool) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && len(s.buf)+len(text) <= spoolSize {
		s.buf = append(s.buf, text...)
	}
	s.signal()
	return len(text), nil
}

func (s *spool) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it knows
	}
}

// close waits until everything is passed on, but no longer than limit.
func (s *spool) close(limit time.Duration) {
	s.mu.Lock()
	s.closed = true
	s.signal()
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(limit):
	}
}
