package tally

import (
	"testing"
	"time"
)

// TestPidOfTheSlowest: what X-Worker says is a process where it can be one.
func TestPidOfTheSlowest(t *testing.T) {
	for text, want := range map[string]int{"41": 41, "-5": 0, "0": 0, "99999999999999999999": 0, "web-1": 0} {
		var s slowest
		s.add(&Hit{Group: "g", Tried: "a:1", Worker: text, Done: time.Second}, 0)
		if got := s.record(nil)[0].PID; got != want {
			t.Errorf("X-Worker %q: process %d, want %d", text, got, want)
		}
	}
}
