package pace

import (
	"math"
	"time"
)

// Schedule is a whole attack: a warm-up at a steady rate and then a pace, both bounded in time. Times are
// from the start of the attack, so the measured part lies in [Warmup, End).
type Schedule struct {
	Warmup, Duration time.Duration
	pace             Pace // nil: as fast as it goes
	warmRate         float64
	warmHits, hits   uint64
	grid             time.Duration
}

// Above gridRate hits per second the times at which hits are due are rounded down to grid, so that two or more
// are due at once: waking up for each hit alone costs more than sending it (42 against 20 µs of processor
// time on a virtual machine), and that time is missing to the servers under load on the same machine.
const (
	gridRate = 2000
	grid     = time.Millisecond
)

// NewSchedule makes the schedule of p for duration after warmup. The warm-up runs at the rate at which p
// starts, or at a tenth of p's mean rate where p starts below that.
func NewSchedule(p Pace, warmup, duration time.Duration) Schedule {
	s := Schedule{Warmup: warmup, Duration: duration, pace: p}
	measured := Count(p, duration)
	mean := float64(measured) / duration.Seconds()
	s.warmRate = max(p.Rate(0), mean/10)
	if s.warmRate > 0 {
		s.warmHits = Count(Constant(s.warmRate), warmup)
	}
	s.hits = s.warmHits + measured
	if s.grid = 1; mean > gridRate {
		s.grid = grid
	}
	return s
}

// Unpaced makes the schedule of an attack that sends as fast as it goes: there is no time at which a
// request is due.
func Unpaced(warmup, duration time.Duration) Schedule {
	return Schedule{Warmup: warmup, Duration: duration, hits: math.MaxUint64}
}

// Paced tells whether requests have a time at which they are due.
func (s Schedule) Paced() bool { return s.pace != nil }

// End is when the attack is over.
func (s Schedule) End() time.Duration { return s.Warmup + s.Duration }

// Hits is the number of hits, warm-up included; for an unpaced schedule the greatest number there is.
func (s Schedule) Hits() uint64 { return s.hits }

// Measured is the number of hits that are due in the measured part; 0 for an unpaced schedule.
func (s Schedule) Measured() uint64 {
	if s.pace == nil {
		return 0
	}
	return s.hits - s.warmHits
}

// DueBy is the number of hits of the measured part that are due before that time.
func (s Schedule) DueBy(at time.Duration) uint64 {
	if s.pace == nil {
		return 0
	}
	return Count(s.pace, min(at, s.End())-s.Warmup)
}

// Due tells when hit n is due; 0 for all hits of an unpaced schedule.
func (s Schedule) Due(n uint64) time.Duration {
	switch {
	case s.pace == nil:
		return 0
	case n < s.warmHits:
		return Constant(s.warmRate).Due(n) / s.grid * s.grid
	}
	return s.Warmup + s.pace.Due(n-s.warmHits)/s.grid*s.grid
}

// Rate is the mean rate of the measured part, in hits per second; 0: as fast as it goes.
func (s Schedule) Rate() float64 { return float64(s.Measured()) / s.Duration.Seconds() }

// Peak is the highest rate within the schedule, in hits per second; 0: as fast as it goes.
func (s Schedule) Peak() float64 {
	if s.pace == nil {
		return 0
	}
	peak := s.warmRate
	const samples = 100
	for i := range samples + 1 {
		peak = max(peak, s.pace.Rate(s.Duration*time.Duration(i)/samples))
	}
	return peak
}
