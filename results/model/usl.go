// Package model fits the universal scalability law to measured capacities and predicts sizes that were not measured.
//
// The law: with n processes a system does X(n) = λ n / (1 + σ (n-1) + κ n (n-1)) requests a second. λ is what one does, σ
// the contention (the part that is done one at a time) and κ the coherency (what keeping each other informed costs; with
// it there is a size beyond which more processes do less). Source: Gunther, "A general theory of computational scalability
// based on rational functions", arXiv:0808.1431.
package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"balanceo/results/units"
)

// Point is one measured capacity.
type Point struct {
	Size     float64 `json:"size"`
	Capacity float64 `json:"capacity"` // requests per second
}

// Law is the law's three parameters.
type Law struct {
	Lambda     float64 `json:"lambda"`
	Contention float64 `json:"contention"`
	Coherency  float64 `json:"coherency"`
}

// At is the capacity of a size.
func (l Law) At(n float64) float64 {
	return l.Lambda * n / (1 + l.Contention*(n-1) + l.Coherency*n*(n-1))
}

// Peak is the size with the highest capacity; infinite without coherency cost.
func (l Law) Peak() float64 {
	if l.Coherency <= 0 {
		return math.Inf(1)
	}
	return max(1, math.Sqrt((1-l.Contention)/l.Coherency))
}

// Interval holds a figure with a confidence of 95 %.
type Interval struct {
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// Fit is a law and how sure it is.
type Fit struct {
	Law
	LambdaInterval     Interval `json:"lambda_interval"`
	ContentionInterval Interval `json:"contention_interval"`
	CoherencyInterval  Interval `json:"coherency_interval"`

	resampled []Law
	noise     []float64 // relative differences of the points from the law
}

// Prediction is a capacity that was not measured. Interval is that of one further measurement.
type Prediction struct {
	Size     float64  `json:"size"`
	Capacity float64  `json:"capacity"`
	Interval Interval `json:"interval"`
}

// resamples of the bootstrap and its seed: the same points give the same intervals.
const (
	resamples = 2000
	seed      = 1
)

// fewest sizes that tell three parameters.
const fewest = 3

// Sizes are the different sizes of points, in their order.
func Sizes(points []Point) []float64 {
	var out []float64
	for _, p := range points {
		out = append(out, p.Size)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// New fits the law by least squares of relative errors. Intervals are percentiles of a residual bootstrap: Efron,
// Tibshirani, An Introduction to the Bootstrap, 1993, sections 9.4 and 13.3.
func New(points []Point) (*Fit, error) {
	for _, p := range points {
		if !(p.Size >= 1) || !(p.Capacity > 0) {
			return nil, fmt.Errorf("one of %.4g at size %g, and sizes from 1 on and capacities above 0 can be fitted", p.Capacity, p.Size)
		}
	}
	if n := len(Sizes(points)); n < fewest {
		return nil, fmt.Errorf("of %s where the law, with its three parameters, takes %d", units.Count(int64(n), "size"), fewest)
	}
	f := &Fit{Law: fit(points)}
	for _, p := range points {
		f.noise = append(f.noise, p.Capacity/f.At(p.Size)-1)
	}
	// The residuals of a fit with three parameters are smaller than the noise by this factor.
	if n := len(points); n > fewest {
		grow := math.Sqrt(float64(n) / float64(n-fewest))
		for i := range f.noise {
			f.noise[i] *= grow
		}
	}
	rng := rand.New(rand.NewPCG(seed, uint64(len(points))))
	for range resamples {
		again := make([]Point, len(points))
		for i, p := range points {
			again[i] = Point{p.Size, f.At(p.Size) * (1 + f.noise[rng.IntN(len(f.noise))])}
		}
		f.resampled = append(f.resampled, fit(again))
	}
	f.LambdaInterval = f.interval(func(l Law) float64 { return l.Lambda })
	f.ContentionInterval = f.interval(func(l Law) float64 { return l.Contention })
	f.CoherencyInterval = f.interval(func(l Law) float64 { return l.Coherency })
	return f, nil
}

func (f *Fit) interval(of func(Law) float64) Interval {
	values := make([]float64, len(f.resampled))
	for i, l := range f.resampled {
		values[i] = of(l)
	}
	slices.Sort(values)
	return Interval{stat.Quantile(0.025, stat.Empirical, values, nil), stat.Quantile(0.975, stat.Empirical, values, nil)}
}

// Predict tells the capacity of a size.
func (f *Fit) Predict(size float64) Prediction {
	rng := rand.New(rand.NewPCG(seed, math.Float64bits(size)))
	in := f.interval(func(l Law) float64 { return l.At(size) * (1 + f.noise[rng.IntN(len(f.noise))]) })
	return Prediction{size, f.At(size), in}
}

// fit minimizes the relative errors of n/X(n), which is linear in 1/λ, σ/λ and κ/λ. Neither σ nor κ is below 0: of the
// fits with both, with one and with none of them it takes the best that is allowed.
func fit(points []Point) Law {
	best, least := Law{}, math.Inf(1)
	for _, use := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		var b [3]float64
		a, y := mat.NewDense(len(points), len(use), nil), mat.NewVecDense(len(points), nil)
		for i, p := range points {
			n, scale := p.Size, p.Capacity/p.Size
			terms := [3]float64{1, n - 1, n * (n - 1)}
			for k, term := range use {
				a.Set(i, k, terms[term]*scale)
			}
			y.SetVec(i, 1)
		}
		var x mat.VecDense
		if x.SolveVec(a, y) != nil {
			continue
		}
		for k, term := range use {
			b[term] = x.AtVec(k)
		}
		if b[0] <= 0 || b[1] < 0 || b[2] < 0 {
			continue
		}
		law := Law{1 / b[0], b[1] / b[0], b[2] / b[0]}
		sum := 0.0
		for _, p := range points {
			sum += math.Pow(p.Capacity/law.At(p.Size)-1, 2)
		}
		if sum < least*(1-1e-12) {
			best, least = law, sum
		}
	}
	return best
}

// Check predicts the largest size from the smaller ones.
type Check struct {
	Prediction
	Measured float64 `json:"measured"` // median
	Within   bool    `json:"within"`   // the interval holds what was measured
}

// LeaveOut fits without the largest size and holds the prediction against what was measured there. It takes one size more
// than a fit.
func LeaveOut(points []Point) (*Check, error) {
	sizes := Sizes(points)
	largest := sizes[len(sizes)-1]
	var rest []Point
	var measured []float64
	for _, p := range points {
		if p.Size == largest {
			measured = append(measured, p.Capacity)
		} else {
			rest = append(rest, p)
		}
	}
	f, err := New(rest)
	if err != nil {
		return nil, err
	}
	slices.Sort(measured)
	c := &Check{Prediction: f.Predict(largest), Measured: stat.Quantile(0.5, stat.LinInterp, measured, nil)}
	c.Within = c.Interval.Lo <= c.Measured && c.Measured <= c.Interval.Hi
	return c, nil
}
