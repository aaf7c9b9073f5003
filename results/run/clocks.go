package run

import (
	"math"
	"slices"
	"time"
)

// Began is when the part began: by the clock of where the parts met, or by its own where that one's distance is not known.
func (p *Part) Began() time.Time {
	if p.ClockOffset == nil {
		return p.Started
	}
	return p.Started.Add(-inSeconds(*p.ClockOffset))
}

// Clocks is what is known of the clocks of a load's parts.
type Clocks struct {
	Known          bool          // each part has asked where the parts met
	AtMost, Surely time.Duration // how far any two of them are apart, with what the round trips leave open
	Began          time.Duration // how far apart the parts began, give or take Slack; by their own clocks where theirs are not known
	Slack          time.Duration
	Odd            Part // the one whose clock is furthest from the others'
}

// ClocksOf compares the clocks of parts.
func ClocksOf(parts []Part) Clocks {
	c := Clocks{Known: len(parts) > 0 && !slices.ContainsFunc(parts, func(p Part) bool { return p.ClockOffset == nil })}
	began := make([]time.Time, len(parts))
	for i, p := range parts {
		if began[i] = p.Started; c.Known {
			began[i] = p.Began()
		}
	}
	if len(began) > 0 {
		c.Began = slices.MaxFunc(began, time.Time.Compare).Sub(slices.MinFunc(began, time.Time.Compare))
	}
	if c.Known {
		c.compare(parts)
	}
	return c
}

// compare finds the most and the least by which two clocks may be apart, and the odd one.
func (c *Clocks) compare(parts []Part) {
	var offsets []float64
	for _, p := range parts {
		offsets = append(offsets, *p.ClockOffset)
	}
	slices.Sort(offsets)
	middle := (offsets[(len(offsets)-1)/2] + offsets[len(offsets)/2]) / 2
	highest, lowest := math.Inf(-1), math.Inf(1)
	surelyHigh, surelyLow := math.Inf(-1), math.Inf(1)
	odd, bound := -1.0, 0.0
	for _, p := range parts {
		offset := *p.ClockOffset
		highest, lowest = max(highest, offset+p.ClockBound), min(lowest, offset-p.ClockBound)
		surelyHigh, surelyLow = max(surelyHigh, offset-p.ClockBound), min(surelyLow, offset+p.ClockBound)
		bound = max(bound, p.ClockBound)
		// Of two, the one that is further from where they met.
		if off := math.Abs(offset-middle) + math.Abs(offset)/1e6; off > odd {
			odd, c.Odd = off, p
		}
	}
	c.AtMost, c.Surely = inSeconds(highest-lowest), inSeconds(max(0, surelyHigh-surelyLow))
	c.Slack = inSeconds(2 * bound)
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
