package pace

import (
	"math"
	"time"
)

// Schedule is a whole attack: a warm-up at a steady rate and then a pace, both bounded in time. Times are
// from the start of the attack, so the measured part lies in [Warmup, End).
type Schedule struct {
	Warmup, Duration time.Duration
	Limit            uint64 // of an unpaced schedule: most hits of the measured part; 0: no limit
	pace             Pace   // nil: as fast as it goes
	warmRate         float64
	warmHits, hits   uint64
	part, parts      uint64 // this schedule has the hits part, part+parts, part+2·parts, … of the whole
}

// NewSchedule makes the schedule of p for duration after warmup. The warm-up runs at the rate at which p
// starts, or at a tenth of p's mean rate where p starts below that.
func NewSchedule(p Pace, warmup, duration time.Duration) Schedule {
	s := Schedule{Warmup: warmup, Duration: duration, pace: p, parts: 1}
	measured := Count(p, duration)
	s.warmRate = max(p.Rate(0), float64(measured)/duration.Seconds()/10)
	if s.warmRate > 0 {
		s.warmHits = Count(Constant(s.warmRate), warmup)
	}
	s.hits = s.warmHits + measured
	return s
}

// Unpaced makes the schedule of an attack that sends as fast as it goes: there is no time at which a
// request is due.
func Unpaced(warmup, duration time.Duration) Schedule {
	return Schedule{Warmup: warmup, Duration: duration, hits: math.MaxUint64, parts: 1}
}

// First is the schedule up to n hits of the measured part. What is due later is left out, and the duration ends
// where the next hit would be due.
func (s Schedule) First(n uint64) Schedule {
	if s.pace == nil {
		s.Limit = n
	} else if n < s.hits-s.warmHits {
		s.hits, s.Duration = s.warmHits+n, s.pace.Due(n)
	}
	return s
}

// Part is the part-th of parts equal parts of the schedule, counted from 0: every parts-th hit. All parts together
// are the whole.
func (s Schedule) Part(part, parts uint64) Schedule {
	s.part, s.parts = part, parts
	return s
}

// Number is the number in the whole schedule of hit n of this part.
func (s Schedule) Number(n uint64) uint64 { return n*s.parts + s.part }

// within is how many of the first n hits of the whole are this part's.
func (s Schedule) within(n uint64) uint64 {
	if n <= s.part {
		return 0
	}
	return (n - s.part + s.parts - 1) / s.parts
}

// Paced tells whether requests have a time at which they are due.
func (s Schedule) Paced() bool { return s.pace != nil }

// End is when the attack is over.
func (s Schedule) End() time.Duration { return s.Warmup + s.Duration }

// Hits is the number of hits, warm-up included; for an unpaced schedule the greatest number there is.
func (s Schedule) Hits() uint64 {
	if s.pace == nil {
		return s.hits
	}
	return s.within(s.hits)
}

// Measured is the number of hits that are due in the measured part; 0 for an unpaced schedule.
func (s Schedule) Measured() uint64 { return s.DueBy(s.End()) }

// DueBy is the number of hits of the measured part that are due before that time.
func (s Schedule) DueBy(at time.Duration) uint64 {
	if s.pace == nil {
		return 0
	}
	due := min(s.hits, s.warmHits+Count(s.pace, min(at, s.End())-s.Warmup))
	return s.within(due) - s.within(s.warmHits)
}

// Due tells when hit n of this part is due; 0 for all hits of an unpaced schedule.
func (s Schedule) Due(n uint64) time.Duration {
	n = s.Number(n)
	switch {
	case s.pace == nil:
		return 0
	case n < s.warmHits:
		return Constant(s.warmRate).Due(n)
	}
	return s.Warmup + s.pace.Due(n-s.warmHits)
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
	return peak / float64(s.parts)
}
