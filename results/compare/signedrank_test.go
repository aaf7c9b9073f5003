package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance || math.IsNaN(a) && math.IsNaN(b)
}

// The examples are published; each names its source.
func TestSignedRankPublished(t *testing.T) {
	// Hollander and Wolfe, Nonparametric Statistical Methods, example 3.1: depression scale factors of nine patients
	// before and after tranquilizer. R's wilcox.test(x, y, paired = TRUE, conf.int = TRUE): V = 40, p = 0.03906, estimate
	// 0.46, interval 0.01 … 0.786.
	x := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	y := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	d := make([]float64, len(x))
	for i := range x {
		d[i] = x[i] - y[i]
	}
	s := newSignedRank(d)
	lo, hi, ok := s.interval(0.05)
	if !near(s.p(), 0.0390625, 1e-12) || !near(s.estimate(), 0.46, 1e-9) || !ok || !near(lo, 0.01, 1e-9) || !near(hi, 0.786, 1e-9) {
		t.Errorf("p %v, estimate %v, interval %v … %v; want 0.0390625, 0.46, 0.01 … 0.786", s.p(), s.estimate(), lo, hi)
	}
	// Wilcoxon 1945, table II; and any table of critical values: n = 10, T ≤ 8 for 5 %, T ≤ 3 for 1 %, two-sided.
	for _, c := range []struct {
		n, t     int
		min, max float64
	}{{10, 8, 0.04, 0.05}, {10, 9, 0.05, 0.07}, {10, 3, 0.009, 0.01}, {10, 4, 0.01, 0.015}, {25, 89, 0.047, 0.05}, {25, 90, 0.05, 0.055}} {
		if p := 2 * rankSums(c.n)[c.t]; p < c.min || p > c.max {
			t.Errorf("n = %d, T = %d: p = %.4f, want one in %v … %v", c.n, c.t, p, c.min, c.max)
		}
	}
	if exact, normal := rankSums(mostExact), rankSums(mostExact+1); !near(exact[len(exact)/2-3000], normal[len(normal)/2-3000], 0.003) {
		t.Errorf("where the normal approximation begins the distribution leaps from %v to %v", exact[len(exact)/2-3000], normal[len(normal)/2-3000])
	}
}

// TestNoContradiction: whatever the differences, p is at most alpha exactly where the interval leaves out zero, and the
// estimate lies in the interval. Swapping the sides swaps everything.
func TestNoContradiction(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draws := map[string]func() float64{
		"normal":  func() float64 { return rng.NormFloat64() + 0.5 },
		"coarse":  func() float64 { return float64(rng.IntN(5) - 1) },
		"zeros":   func() float64 { return max(0, float64(rng.IntN(4)-2)) },
		"extreme": func() float64 { return math.Exp(20*rng.NormFloat64()) * float64(rng.IntN(4)-1) },
	}
	for name, draw := range draws {
		for range 500 {
			d, back := make([]float64, 1+rng.IntN(20)), []float64{}
			for i := range d {
				d[i] = draw()
				back = append(back, -d[i])
			}
			alpha := []float64{0.05, 0.05 / 12, 0.3}[rng.IntN(3)]
			s, swapped := newSignedRank(d), newSignedRank(back)
			lo, hi, ok := s.interval(alpha)
			if significant := ok && (lo > 0 || hi < 0); significant != (s.p() <= alpha) {
				t.Errorf("%s %v: p %v of %v, interval %v … %v", name, d, s.p(), alpha, lo, hi)
			}
			if e := s.estimate(); ok && (e < lo || e > hi) {
				t.Errorf("%s %v: estimate %v outside of %v … %v", name, d, e, lo, hi)
			}
			if l, h, _ := swapped.interval(alpha); ok && (l != -hi || h != -lo) || s.p() != swapped.p() || s.least > s.p() {
				t.Errorf("%s %v: swapped %v … %v, p %v; want %v … %v, p %v of at least %v", name, d, l, h, swapped.p(), -hi, -lo, s.p(), s.least)
			}
		}
	}
}

// TestLevel: of differences that are symmetric about zero, whatever their spread from pair to pair, no more than alpha
// are called one, ties and zeros included.
func TestLevel(t *testing.T) {
	const trials, alpha = 4000, 0.05
	rng := rand.New(rand.NewPCG(3, 4))
	for name, draw := range map[string]func() float64{
		"normal": rng.NormFloat64,
		"heavy":  func() float64 { return math.Exp(2*rng.NormFloat64()) - math.Exp(2*rng.NormFloat64()) },
		"coarse": func() float64 { return float64(rng.IntN(5) - 2) },
		"mostly zero": func() float64 {
			return float64((rng.IntN(9) - 4) / 4)
		},
	} {
		for _, n := range []int{8, 15} {
			alarms := 0
			for range trials {
				d := make([]float64, n)
				for i := range d {
					d[i] = draw()
				}
				if newSignedRank(d).p() <= alpha {
					alarms++
				}
			}
			// Three standard deviations above alpha.
			if most := alpha*trials + 3*math.Sqrt(alpha*trials); float64(alarms) > most {
				t.Errorf("%s, %d pairs: %d of %d are called different, want %.0f at most", name, n, alarms, trials, most)
			}
		}
	}
}

func TestFewest(t *testing.T) {
	for _, c := range []struct{ tests, want int }{{1, 6}, {4, 8}, {12, 9}, {21, 10}} {
		if got := Fewest(0.05 / float64(c.tests)); got != c.want {
			t.Errorf("Fewest for %d tests = %d, want %d", c.tests, got, c.want)
		}
	}
}

// TestNeededKeepsItsWord: with the planned pairs a difference of the threshold is found, and none is shown to be none.
func TestNeededKeepsItsWord(t *testing.T) {
	const trials = 1000
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct{ noise, threshold, alpha, probability float64 }{
		{0.1, 0.2, 0.05 / 12, 0.99}, {0.05, 0.05, 0.05 / 12, 0.9}, {0.3, 0.18, 0.05, 0.9}, {0.02, 0.18, 0.05 / 4, 0.99},
	} {
		n := Needed(c.noise, c.threshold, c.alpha, c.probability)
		found, same := 0, 0
		for range trials {
			with, without := make([]float64, n), make([]float64, n)
			for i := range with {
				with[i] = c.threshold + c.noise*rng.NormFloat64()
				without[i] = c.noise * rng.NormFloat64()
			}
			if lo, _, ok := newSignedRank(with).interval(c.alpha); ok && lo > 0 {
				found++
			}
			if lo, hi, ok := newSignedRank(without).interval(c.alpha); ok && lo > -c.threshold && hi < c.threshold {
				same++
			}
		}
		least := trials*c.probability - 3*math.Sqrt(trials*c.probability*(1-c.probability))
		t.Logf("noise %v, threshold %v, alpha %.4f: %d pairs; found %d, same %d of %d", c.noise, c.threshold, c.alpha, n, found, same, trials)
		if float64(found) < least || float64(same) < least {
			t.Errorf("noise %v, threshold %v, alpha %.4f: %d pairs find it %d times and show its absence %d times of %d, want %.0f at least",
				c.noise, c.threshold, c.alpha, n, found, same, trials, least)
		}
	}
	if got := Needed(100, 0.01, 0.05, 0.9); got <= MostNeeded {
		t.Errorf("Needed where noise drowns all = %d, want one over %d", got, MostNeeded)
	}
}
