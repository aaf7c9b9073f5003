package judge

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"
)

// mostOutcomes is the number of outcomes up to which the multinomial test counts them out, within a second.
const mostOutcomes = 3e6

// fewestExpected is the least expected count with which the G-test is trusted in its tail (Koehler and Larntz 1980 find
// five enough in the middle).
const fewestExpected = 20

// multinomial is how often counts with these expected shares are at least as far off as these, by the likelihood ratio
// G = 2 Σ x ln(x / n p), and by which test: the exact one where its outcomes can be counted out; where counts are large
// the G-test with Williams' correction (Williams 1976); between them the least p of exact tests of each share against the
// rest, times their number, which is never too small.
func multinomial(counts []int64, expected []float64) (p float64, test string) {
	var n int64
	least := 1.0
	for i, x := range counts {
		n += x
		least = min(least, expected[i])
	}
	k := len(counts)
	if k == 2 {
		return binomial(counts[0], n, expected[0]), "exact binomial"
	}
	if combin.GeneralizedBinomial(float64(n)+float64(k)-1, float64(k)-1) <= mostOutcomes {
		return countOut(counts, n, expected), "exact multinomial"
	}
	if float64(n)*least >= fewestExpected {
		inverse := -1.0
		for _, e := range expected {
			inverse += 1 / e
		}
		williams := 1 + inverse/(6*float64(n)*float64(k-1))
		return distuv.ChiSquared{K: float64(k - 1)}.Survival(G(counts, expected) / williams), "G-test"
	}
	p = 1
	for i, x := range counts {
		p = min(p, float64(k)*binomial(x, n, expected[i]))
	}
	return p, "exact binomials, Bonferroni"
}

// G is twice the logarithm of the likelihood ratio of counts and of shares that add up to 1: 0 where the counts are just as
// expected, infinite where one is counted that is promised none.
func G(counts []int64, shares []float64) float64 {
	var n int64
	for _, x := range counts {
		n += x
	}
	g := 0.0
	for i, x := range counts {
		g += part(x, n, shares[i])
	}
	return max(2*g, 0)
}

// part is x ln(x / n p), what one count adds to half of G.
func part(x, n int64, p float64) float64 {
	if x == 0 {
		return 0
	}
	return float64(x) * math.Log(float64(x)/float64(n)/p)
}

// tie is the relative difference within which two values of G are one.
const tie = 1e-9

// countOut adds the probabilities of all outcomes that are at least as far off.
func countOut(counts []int64, n int64, expected []float64) float64 {
	last := len(counts) - 1
	observed := 0.0
	for i, x := range counts {
		observed += part(x, n, expected[i])
	}
	observed -= tie * (1 + math.Abs(observed))
	factorial := make([]float64, n+1) // logarithms
	for x := range factorial {
		factorial[x], _ = math.Lgamma(float64(x) + 1)
	}
	sum := 0.0
	// Each call chooses the count of one name; left are still to be given out.
	var choose func(i int, left int64, g, logP float64)
	choose = func(i int, left int64, g, logP float64) {
		if i == last {
			if g+part(left, n, expected[i]) >= observed {
				sum += math.Exp(logP + float64(left)*math.Log(expected[i]) - factorial[left])
			}
			return
		}
		for x := range left + 1 {
			choose(i+1, left-x, g+part(x, n, expected[i]), logP+float64(x)*math.Log(expected[i])-factorial[x])
		}
	}
	choose(0, n, 0, factorial[n])
	return min(1, sum)
}

// binomial is the exact two-sided p of x of n where share p is expected: the probability of all counts that are at least
// as far off by G.
func binomial(x, n int64, p float64) float64 {
	g := func(x int64) float64 { return part(x, n, p) + part(n-x, n, 1-p) }
	observed := g(x)
	observed -= tie * (1 + observed)
	// The count on the other side of the expected one that is as far off: G grows to both ends.
	if float64(x) <= float64(n)*p {
		least := int64(math.Ceil(float64(n) * p))
		far := least + first(n+1-least, func(more int64) bool { return g(least+more) >= observed })
		return min(1, atMost(x, n, p)+atMost(n-far, n, 1-p))
	}
	far := first(int64(float64(n)*p)+1, func(x int64) bool { return g(x) < observed }) - 1
	return min(1, atMost(n-x, n, 1-p)+atMost(far, n, p))
}

// first is the least of 0…n-1 for which a condition holds that holds for all that are greater, too; n: for none.
func first(n int64, holds func(int64) bool) int64 {
	return int64(sort.Search(int(n), func(i int) bool { return holds(int64(i)) }))
}

// atMost is the probability of x or fewer of n.
func atMost(x, n int64, p float64) float64 {
	switch {
	case x < 0:
		return 0
	case x >= n:
		return 1
	}
	return mathext.RegIncBeta(float64(n-x), float64(x)+1, 1-p)
}

// interval is the shares of which x of n are no exception at that level, by inverting binomial. It holds expected exactly
// where binomial does not reject it.
func interval(x, n int64, expected, level float64) (lo, hi float64) {
	share := float64(x) / float64(n)
	// end looks from a share that is not rejected towards an outer one.
	end := func(outer float64) float64 {
		inner := share
		switch between := expected > min(share, outer) && expected < max(share, outer); {
		case between && binomial(x, n, expected) > level:
			inner = expected
		case between:
			outer = expected
		}
		for range 60 {
			middle := (inner + outer) / 2
			if middle > 0 && middle < 1 && binomial(x, n, middle) > level {
				inner = middle
			} else {
				outer = middle
			}
		}
		return inner
	}
	lo, hi = 0, 1
	if x > 0 {
		lo = end(0)
	}
	if x < n {
		hi = end(1)
	}
	return lo, hi
}

// usually is how often what Needed and FoundBelow promise comes true.
const usually = 0.9

// needed is how many requests put the interval of a share that is as expected within the precision: a deviation that is
// normal, and the interval's half width beside it.
func needed(expected, level, precision float64) int64 {
	z := distuv.UnitNormal.Quantile(1-level/2) + distuv.UnitNormal.Quantile((1+usually)/2)
	return int64(math.Ceil(z * z * (1 - expected) / (expected * precision * precision)))
}

// found is the shares below and above the expected one with which n requests are usually judged not to be chance; 0 and 1
// where none is.
func found(n int64, expected, level float64) (below, above float64) {
	critical := func(p float64) int64 { // the largest count below the expected one that is rejected, or -1
		return first(int64(float64(n)*p)+1, func(x int64) bool { return binomial(x, n, p) > level }) - 1
	}
	share := func(p float64) float64 {
		c := critical(p)
		if c < 0 {
			return 0
		}
		low, high := 0.0, p
		for range 60 {
			if middle := (low + high) / 2; atMost(c, n, middle) >= usually {
				low = middle
			} else {
				high = middle
			}
		}
		return low
	}
	return share(expected), 1 - share(1-expected)
}
