package pace

import (
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Poisson is arrivals that know nothing of each other, as those of many independent users: the gaps between
// them are exponential with the mean 1/PerSecond. The same seed gives the same arrivals.
type Poisson struct {
	PerSecond float64 // mean rate, above 0
	Seed      uint64
}

// levels is the depth of the tree of Due: 2^levels arrivals, which last 49 days at 1,000/s.
const levels = 32

// Due implements Pace. A running sum of random gaps would need either a memory of all arrivals or calls in
// order. Instead the sum of the first 2^32 gaps is drawn at once (it has the gamma distribution) and split
// down a binary tree: given the sum of 2m exponential gaps, the part that the first m have in it is
// distributed as Beta(m, m), independently of the sum (L. Devroye, "Non-Uniform Random Variate Generation",
// 1986, ch. I.4). The draw at a node depends on the seed and the node alone, so that each arrival is the
// same whichever is asked for first.
func (p Poisson) Due(n uint64) time.Duration {
	if n == 0 {
		return 0
	}
	if n >= 1<<levels {
		return Never
	}
	source := rand.NewPCG(p.Seed, 1)
	sum := distuv.Gamma{Alpha: 1 << levels, Beta: 1, Src: source}.Rand()
	var start float64 // where the node's first gap starts
	for half, node := uint64(1)<<(levels-1), uint64(1); ; half >>= 1 {
		source.Seed(p.Seed, node<<1)
		left := sum * split(source, float64(half))
		if n&half == 0 {
			sum, node = left, node<<1
		} else {
			start, sum, node = start+left, sum-left, node<<1|1
		}
		if n&(half-1) == 0 { // the arrival is where this node starts
			return seconds(start / p.PerSecond)
		}
	}
}

// split draws from Beta(m, m).
func split(source rand.Source, m float64) float64 {
	if m == 1 {
		return rand.New(source).Float64()
	}
	gamma := distuv.Gamma{Alpha: m, Beta: 1, Src: source}
	a, b := gamma.Rand(), gamma.Rand()
	return a / (a + b)
}

// Rate implements Pace.
func (p Poisson) Rate(time.Duration) float64 { return p.PerSecond }
