package attack

import (
	"testing"
	"time"
)

// TestPauses has a generator that stands still for a second, and for 6 ms once more before it has caught up.
func TestPauses(t *testing.T) {
	const ms = time.Millisecond
	var p pauses
	check := func(name string, due, sent, freed, lag time.Duration, burst, mixed bool) delay {
		t.Helper()
		got := p.send(due, sent, freed)
		if want := (delay{lag, burst, mixed}); got != want {
			t.Errorf("%s: send(%v, %v, %v) = %+v, want %+v", name, due, sent, freed, got, want)
		}
		return got
	}
	check("in time", 0, 0, 0, 0, false, false)
	check("late though a connection was free", 0, 3*ms, 0, 3*ms, false, false)
	check("late for want of a connection", 0, 300*ms, 299*ms, ms, false, false)
	p.note(4*ms, 100*ms) // no pause
	check("after a long turn", 0, 100*ms, 100*ms, 0, false, false)

	p.note(1000*ms, 1100*ms) // from 100 ms on
	first := check("due in it", 600*ms, 1100*ms, 0, 500*ms, true, true)
	p.note(6*ms, 1200*ms)
	second := check("due in it, sent when a connection was free again", 700*ms, 1300*ms, 1300*ms, 600*ms, true, true)
	check("due after it, sent when a connection was free again", 1200*ms, 1310*ms, 1310*ms, 110*ms, true, true)
	check("of a server that is overloaded as well", 100*ms, 3000*ms, 3000*ms, 1006*ms, false, true)
	p.caughtUp()
	check("in time again, but the server has not", 1400*ms, 1400*ms, 0, 0, false, true)
	p.done(first)
	p.done(second)
	p.done(delay{burst: true}) // the third
	check("in time, the server too", 1500*ms, 1500*ms, 0, 0, false, false)
}
