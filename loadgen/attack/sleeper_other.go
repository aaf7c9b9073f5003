//go:build !linux

package attack

import "time"

// sleeper waits with the runtime's timers, whose accuracy is the system's.
type sleeper struct{}

func newSleeper() (*sleeper, error) { return &sleeper{}, nil }

func (s *sleeper) sleep(d time.Duration) bool {
	time.Sleep(d)
	return true
}

func (s *sleeper) close() {}

func shortSlices() {}
