package judge

import (
	"fmt"
	"math"
)

// cycleBound names the test of a cycle.
const cycleBound = "bound of a cycle"

// judgeCycle holds the counts against a cycle of W = Σw requests in which a server of weight w occurs w times, in whatever
// order. Over any stretch of it a count is off by no more than w(1−w/W): most where the occurrences lie side by side, and
// all or none of them are in the part of a cycle that is left over. Cycles side by side add their bounds. Weights
// are taken as they are: not every balancer knows that 70 and 30 are 7 and 3.
func (r *Result) judgeCycle(shares []Share, opt Options) error {
	for _, s := range shares {
		if s.Weight != math.Trunc(s.Weight) {
			return fmt.Errorf("weight %g of %q: a cycle needs whole weights, for example 7 and 3", s.Weight, s.Name)
		}
	}
	r.Test = cycleBound
	within := true
	for i := range r.Shares {
		s := &r.Shares[i]
		bound := float64(opt.Cycles) * shares[i].Weight * (1 - s.Expected)
		slack := bound / float64(r.Total)
		if math.Abs(float64(s.Count)-float64(r.Total)*s.Expected) > bound*(1+tie) {
			r.P = 0
		}
		s.Lo, s.Hi = max(0, s.Share-slack), min(1, s.Share+slack)
		s.FoundBelow, s.FoundAbove = max(0, s.Expected-2*slack), min(1, s.Expected+2*slack)
		within = within && 2*slack <= s.Expected*opt.Precision
		r.Needed = max(r.Needed, int64(math.Ceil(2*bound/(s.Expected*opt.Precision))))
	}
	r.decide(r.P == 0, within)
	return nil
}
