// Package pace says when each request of an attack is due.
//
// A pace is a value without a clock: Due(n) is a pure function of the number of the hit, so that the pacer
// that waits, the worker that sends and a test that checks all read the same schedule, in any order and
// from any goroutine. Latency that is counted from Due(n) contains the time a request had to wait because
// everything before it was late; a load generator that counts from the moment of sending leaves that out
// ("coordinated omission", Gil Tene, "How NOT to Measure Latency", 2013).
//
// For a pace whose rate is r(t), hit n is due when the integral of r from 0 to t reaches n. The first hit is
// thus due at 0, and a constant rate of 4/s is due at 0, 250, 500, 750 ms.
package pace

import (
	"math"
	"time"
)

// Pace is a schedule without an end. Its methods are pure: they may be called from any goroutine.
type Pace interface {
	// Due tells when hit n, counted from 0, is due, from the start of the pace. It never falls from one n to
	// the next. Never stands for "not at all".
	Due(n uint64) time.Duration
	// Rate is the rate at that time, in hits per second.
	Rate(at time.Duration) float64
}

// Never is when a hit is due that the pace does not contain. It is 146 years away, so that adding the
// length of a warm-up cannot overflow it.
const Never = time.Duration(math.MaxInt64 / 2)

// seconds turns seconds into a Duration, rounded to the nanosecond; what does not fit is Never.
func seconds(s float64) time.Duration {
	if ns := math.Round(s * 1e9); ns < float64(Never) {
		return time.Duration(ns)
	}
	return Never
}

// Count tells how many hits of p are due before end.
func Count(p Pace, end time.Duration) uint64 {
	if end <= 0 || p.Due(0) >= end {
		return 0
	}
	low, high := uint64(0), uint64(1) // Due(low) < end <= Due(high)
	for p.Due(high) < end {
		low, high = high, high*2
	}
	for high-low > 1 {
		if mid := low + (high-low)/2; p.Due(mid) < end {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// Constant is a steady rate in hits per second, above 0.
type Constant float64

// Due implements Pace.
func (c Constant) Due(n uint64) time.Duration { return seconds(float64(n) / float64(c)) }

// Rate implements Pace.
func (c Constant) Rate(time.Duration) float64 { return float64(c) }

// Ramp goes from one rate to another in a straight line and then stays there.
type Ramp struct {
	From, To float64       // hits per second, not negative, not both 0
	Over     time.Duration // above 0
}

// Due implements Pace. On the slope, n = From·t + (To−From)/(2·Over)·t² is solved for t, in the form that
// does not subtract two nearly equal numbers.
func (r Ramp) Due(n uint64) time.Duration {
	over, hits := r.Over.Seconds(), float64(n)
	if slope := (r.From + r.To) / 2 * over; hits > slope || (hits == slope && r.To > 0) {
		if r.To == 0 {
			return Never
		}
		return seconds(over + (hits-slope)/r.To)
	}
	if n == 0 {
		return 0
	}
	root := math.Sqrt(max(0, r.From*r.From+2*(r.To-r.From)/over*hits))
	return seconds(2 * hits / (r.From + root))
}

// Rate implements Pace.
func (r Ramp) Rate(at time.Duration) float64 {
	part := min(1, max(0, at.Seconds()/r.Over.Seconds()))
	return r.From + (r.To-r.From)*part
}

// Step holds each of its rates for a time and stays at the last.
type Step struct {
	Rates []float64     // hits per second, not negative, the last above 0
	Each  time.Duration // above 0
}

// Due implements Pace.
func (s Step) Due(n uint64) time.Duration {
	each, hits := s.Each.Seconds(), float64(n)
	last := len(s.Rates) - 1
	for i, rate := range s.Rates {
		if i == last || hits < rate*each {
			return seconds(float64(i)*each + hits/rate)
		}
		hits -= rate * each
	}
	return Never
}

// Rate implements Pace.
func (s Step) Rate(at time.Duration) float64 {
	return s.Rates[min(len(s.Rates)-1, max(0, int(at/s.Each)))]
}

// Sine swings around a mean rate: r(t) = Mean + Amp·sin(2πt/Period).
type Sine struct {
	Mean, Amp float64 // hits per second; 0 <= Amp < Mean
	Period    time.Duration
}

// Due implements Pace. The integral Mean·t + Amp·Period/2π·(1 − cos(2πt/Period)) only rises, because the
// amplitude is smaller than the mean, so Newton's method inside the bracket given by the least and the
// greatest lead of the sine over the mean finds the one t at which it is n.
func (s Sine) Due(n uint64) time.Duration {
	period, hits := s.Period.Seconds(), float64(n)
	omega := 2 * math.Pi / period
	high := hits / s.Mean
	low := max(0, high-2*s.Amp/(s.Mean*omega))
	t := low + (high-low)/2
	for range 100 {
		miss := s.Mean*t + s.Amp/omega*(1-math.Cos(omega*t)) - hits
		if miss > 0 {
			high = t
		} else {
			low = t
		}
		next := t - miss/(s.Mean+s.Amp*math.Sin(omega*t))
		if next < low || next > high {
			next = low + (high-low)/2
		}
		if math.Abs(next-t) < 1e-10 {
			return seconds(next)
		}
		t = next
	}
	return seconds(t)
}

// Rate implements Pace.
func (s Sine) Rate(at time.Duration) float64 {
	return s.Mean + s.Amp*math.Sin(2*math.Pi*at.Seconds()/s.Period.Seconds())
}
