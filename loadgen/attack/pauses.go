package attack

import "time"

// pauses is what the generator does to the latencies by standing still: it was stopped, or had no processor. What came due
// meanwhile has to wait for connections afterwards, and so does what comes due later, until all of it is sent: that wait is
// the generator's doing, too, though all connections are busy. And the server has to answer all of it at once, which it
// would not have to otherwise: until it has, nobody can tell how much of a latency is whose.
type pauses struct {
	stood  time.Duration // for how long, since all that was due was sent
	last   time.Duration // when the last one ended
	bursts int           // requests under way that were sent after a pause and before all that was due was sent
}

// longPause is longer than a turn of a loop that has all its connections to serve.
const longPause = 5 * time.Millisecond

// note is called when the generator has looked after nothing for d until now.
func (p *pauses) note(d, now time.Duration) {
	if d > longPause {
		p.stood += d
		p.last = now
	}
}

// caughtUp is called when nothing is due.
func (p *pauses) caughtUp() { p.stood = 0 }

// delay is what a pause did to a hit.
type delay struct {
	lag   time.Duration // how much of the time from when it was due until it is sent is the generator's own doing
	burst bool          // it is one of those that were sent together after a pause
	mixed bool          // it was under way together with one of them, or is one
}

// send tells what pauses did to a hit that is sent now: freed is when a connection came free for it. What has waited for
// more than twice as long as the generator stood still waits for the server above all.
func (p *pauses) send(due, sent, freed time.Duration) delay {
	late := sent - due
	d := delay{lag: max(late-max(0, min(freed, sent)-due), min(late, p.stood), 0), burst: p.stood > 0 && late < 2*p.stood}
	if d.burst {
		p.bursts++
	}
	d.mixed = p.bursts > 0
	return d
}

// done is called when a hit has ended.
func (p *pauses) done(d delay) {
	if d.burst {
		p.bursts--
	}
}
