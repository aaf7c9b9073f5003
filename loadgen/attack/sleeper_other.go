//go:build !linux

package attack

import (
	"sync"
	"time"
)

// sleeper waits with the runtime's timers, whose accuracy is the system's.
type sleeper struct {
	stopped chan struct{}
	once    sync.Once
}

func newSleeper() (*sleeper, error) { return &sleeper{stopped: make(chan struct{})}, nil }

// sleep waits for d; false: it was stopped.
func (s *sleeper) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopped:
		return false
	}
}

// stop ends a sleep that is under way and all later ones. It may be called from any goroutine.
func (s *sleeper) stop() { s.once.Do(func() { close(s.stopped) }) }

func (s *sleeper) close() {}
