package judge

import (
	"errors"
	"fmt"
	"math"
)

// Sequential judges counts of randomly chosen servers while they arrive. It may be asked after every request without more
// false alarms than promised, which p of Judge, looked at again and again, does not survive.
//
// It holds against what is promised a Bayes factor: the counts' probability if the shares were drawn from a Dirichlet
// distribution about the promise, divided by their probability under the promise. Under the promise that is a martingale
// of mean 1, which ever reaches 1/alpha with probability alpha at most, whatever the prior (Lindon and Malek, "Anytime-valid
// inference for multinomial count data", NeurIPS 2022; Ville 1939). Two priors are mixed half and half: a wide one, which
// finds gross faults in few requests, and one as wide as the precision. The intervals that a Pass needs come from the
// same argument for each share against the rest.
//
// It is not safe for use by several goroutines at once.
type Sequential struct {
	// Precision is as in Options; to be set before the first Add. Default 0.1.
	Precision float64

	alpha    float64
	expected []float64
	counts   []int64
	total    int64
	evidence float64 // the largest logarithm of the Bayes factor
	verdict  Verdict
}

// NewSequential is for names with these expected shares, which count in relation to each other. alpha is the probability
// that counts that are as promised are ever judged Fail, and that those of which a share is off by more than the precision
// are ever judged Pass.
func NewSequential(expected []float64, alpha float64) (*Sequential, error) {
	if len(expected) < 2 {
		return nil, fmt.Errorf("%d shares: two or more can be judged", len(expected))
	}
	if !(alpha > 0 && alpha < 1) {
		return nil, fmt.Errorf("rate of false alarms %g: accepted are numbers between 0 and 1", alpha)
	}
	s := &Sequential{Precision: 0.1, alpha: alpha, counts: make([]int64, len(expected)), verdict: Undecided}
	sum := 0.0
	for _, e := range expected {
		if !(e > 0) || math.IsInf(e, 0) {
			return nil, fmt.Errorf("share %g: accepted are numbers above 0", e)
		}
		sum += e
	}
	for _, e := range expected {
		s.expected = append(s.expected, e/sum)
	}
	return s, nil
}

// Add takes the counts of further requests, in the order of the expected shares, and looks whether they decide. After
// that nothing changes the verdict.
func (s *Sequential) Add(counts []int64) error {
	if len(counts) != len(s.counts) {
		return fmt.Errorf("%d counts for %d shares", len(counts), len(s.counts))
	}
	for _, x := range counts {
		if x < 0 {
			return errors.New("a count below 0")
		}
	}
	if s.Decided() {
		return nil
	}
	for i, x := range counts {
		s.counts[i] += x
		s.total += x
	}
	s.evidence = max(s.evidence, s.logBayes())
	switch {
	case s.P() <= s.alpha:
		s.verdict = Fail
	case s.within():
		s.verdict = Pass
	}
	return nil
}

// Decided tells whether the verdict is Pass or Fail.
func (s *Sequential) Decided() bool { return s.verdict != Undecided }

// Verdict is what is known by now.
func (s *Sequential) Verdict() Verdict { return s.verdict }

// P is a p that is valid at every look: as promised, it ever falls to x with probability x at most.
func (s *Sequential) P() float64 { return math.Exp(-s.evidence) }

// Counts are those that led to the verdict.
func (s *Sequential) Counts() []int64 { return append([]int64(nil), s.counts...) }

// logBayes is the logarithm of the mixed Bayes factor.
func (s *Sequential) logBayes() float64 {
	null := 0.0
	for i, x := range s.counts {
		null += float64(x) * math.Log(s.expected[i])
	}
	wide, narrow := dirichlet(s.counts, s.expected, float64(len(s.counts))), dirichlet(s.counts, s.expected, s.concentration(0))
	high := max(wide, narrow)
	return high + math.Log((math.Exp(wide-high)+math.Exp(narrow-high))/2) - null
}

// dirichlet is the logarithm of the probability of a sequence with these counts if its shares are drawn from a Dirichlet
// distribution about the expected ones; the larger the concentration, the nearer to them.
func dirichlet(counts []int64, expected []float64, concentration float64) float64 {
	sum, n := 0.0, 0.0
	for i, x := range counts {
		sum += rising(concentration*expected[i], float64(x))
		n += float64(x)
	}
	return sum - rising(concentration, n)
}

// rising is the logarithm of a (a+1) … (a+n−1).
func rising(a, n float64) float64 {
	high, _ := math.Lgamma(a + n)
	low, _ := math.Lgamma(a)
	return high - low
}

// concentration is that of the prior whose standard deviation for a share is the precision.
func (s *Sequential) concentration(i int) float64 {
	e := s.expected[i]
	return max(1, (1-e)/(e*s.Precision*s.Precision))
}

// within tells whether every share is known to lie within the precision: neither end of it is in the share's interval.
func (s *Sequential) within() bool {
	limit := math.Log(float64(tests(len(s.counts))) / s.alpha)
	for i, e := range s.expected {
		x, rest := float64(s.counts[i]), float64(s.total-s.counts[i])
		low, high := e*(1-s.Precision), e*(1+s.Precision)
		if share := x / float64(s.total); share < low || share > high {
			return false
		}
		mixed := dirichlet([]int64{s.counts[i], s.total - s.counts[i]}, []float64{e, 1 - e}, s.concentration(i))
		for _, end := range []float64{low, high} {
			if end > 0 && end < 1 && mixed-x*math.Log(end)-rest*math.Log1p(-end) < limit {
				return false
			}
		}
	}
	return true
}
