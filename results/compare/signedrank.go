package compare

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// Median is the middle value, or the mean of the two middle ones.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return middle(slices.Sorted(slices.Values(values)))
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// signedRank is Wilcoxon's signed-rank test of paired differences (Wilcoxon 1945) in the form of their Walsh averages,
// the n(n+1)/2 means of two of them or of one with itself. If swapping the sides changes nothing but the sign of a
// difference, the number of averages below zero has the distribution of the sum of those of the ranks 1…n for which a
// fair coin falls heads (Tukey 1949). Estimate, interval and p are read from the same averages, so that they can't
// contradict each other (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken, Nonparametric Statistical Methods,
// section 3.3). Averages that are zero count against a difference on both sides: ties make the test no less strict.
type signedRank struct {
	walsh   []float64 // sorted
	atMost  []float64 // [t] is the probability of t averages or fewer below zero
	against int       // averages below zero or above it, whichever are fewer, and those that are zero
	least   float64   // the least p that differences of these sizes could have had
}

func newSignedRank(differences []float64) *signedRank {
	n, zeros := len(differences), 0
	s := &signedRank{atMost: rankSums(n), walsh: make([]float64, 0, n*(n+1)/2)}
	for i, a := range differences {
		if a == 0 {
			zeros++
		}
		for _, b := range differences[i:] {
			s.walsh = append(s.walsh, (a+b)/2)
		}
	}
	slices.Sort(s.walsh)
	below, _ := slices.BinarySearch(s.walsh, 0)
	notAbove, _ := slices.BinarySearch(s.walsh, math.SmallestNonzeroFloat64)
	s.against = min(notAbove, len(s.walsh)-below)
	s.least = s.twoSided(zeros * (zeros + 1) / 2)
	return s
}

func (s *signedRank) twoSided(against int) float64 {
	if len(s.walsh) == 0 {
		return 1
	}
	return min(1, 2*s.atMost[against])
}

// p is the two-sided p of "swapping the sides changes nothing".
func (s *signedRank) p() float64 { return s.twoSided(s.against) }

// estimate is the median of the Walsh averages, the shift that the test likes best.
func (s *signedRank) estimate() float64 { return middle(s.walsh) }

// interval holds every shift that the test does not reject at alpha. False where it rejects none.
func (s *signedRank) interval(alpha float64) (lo, hi float64, ok bool) {
	cut := 0 // how many averages at either end are left out
	for cut < len(s.walsh)/2 && s.twoSided(cut) <= alpha {
		cut++
	}
	if cut == 0 {
		return 0, 0, false
	}
	return s.walsh[cut-1], s.walsh[len(s.walsh)-cut], true
}

// mostExact is the number of pairs up to which rankSums is exact; its cost grows with their cube.
const mostExact = 400

// rankSums is the distribution function of the sum of those of the ranks 1…n for which a fair coin falls heads.
func rankSums(n int) []float64 {
	sums := make([]float64, n*(n+1)/2+1)
	if n > mostExact {
		mean := float64(len(sums)-1) / 2
		normal := distuv.Normal{Mu: mean, Sigma: math.Sqrt(mean * float64(2*n+1) / 6)}
		for t := range sums {
			sums[t] = normal.CDF(float64(t) + 0.5)
		}
		return sums
	}
	sums[0] = 1
	for rank, top := 1, 1; rank <= n; rank, top = rank+1, top+rank+1 {
		for t := top; t >= 0; t-- {
			sums[t] /= 2
			if t >= rank {
				sums[t] += sums[t-rank] / 2
			}
		}
	}
	for t := 1; t < len(sums); t++ {
		sums[t] += sums[t-1]
	}
	return sums
}

// Fewest is the number of pairs from which the test can reach a p of alpha.
func Fewest(alpha float64) int { return int(math.Ceil(1 - math.Log2(alpha))) }

// Needed is how many pairs tell, each with the given probability, that there is a difference where there is one as
// large as threshold, and that there is none as large where there is none at all. noise is the standard deviation of the
// differences of the pairs. It takes the two tests as Student's, which signed ranks equal within π/3 where noise is
// normal and outdo where it has heavier tails (Hodges and Lehmann 1956), at the level that ranks really reach.
func Needed(noise, threshold, alpha, probability float64) int {
	least := max(2, Fewest(alpha))
	if least > MostNeeded {
		return least
	}
	return least + sort.Search(MostNeeded+1-least, func(more int) bool {
		n := least + more
		t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}
		width := (t.Quantile(1-reached(n, alpha)/2) + t.Quantile((1+probability)/2)) * noise * math.Sqrt(math.Pi/3/float64(n))
		return width <= threshold
	})
}

// reached is the largest p up to alpha that n pairs can have. Of many pairs it is nearly alpha.
func reached(n int, alpha float64) float64 {
	if n > 40 {
		return alpha
	}
	sums := rankSums(n)
	above, _ := slices.BinarySearch(sums, alpha/2+1e-15)
	return 2 * sums[above-1]
}

// MostNeeded is the number of pairs beyond which Needed does not look.
const MostNeeded = 999
