package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

func measured(law Law, noise float64, rng *rand.Rand, runs int, sizes ...float64) []Point {
	var out []Point
	for _, n := range sizes {
		for range runs {
			out = append(out, Point{n, law.At(n) * (1 + noise*rng.NormFloat64())})
		}
	}
	return out
}

func TestFitFindsTheLaw(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, law := range []Law{{1000, 0.05, 0.002}, {1000, 0.05, 0}, {5000, 0, 0.01}, {700, 0, 0}} {
		f, err := New(measured(law, 0, rng, 1, 1, 2, 4, 8, 16))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]float64{{f.Lambda, law.Lambda}, {f.Contention, law.Contention}, {f.Coherency, law.Coherency}} {
			if math.Abs(c[0]-c[1]) > 1e-6*max(1, c[1]) {
				t.Errorf("without noise: %+v, want %+v", f.Law, law)
			}
		}
	}
}

// TestIntervalsHold counts how often the intervals hold what they should: 95 of 100 times, less what chance takes away.
func TestIntervalsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	law := Law{1000, 0.08, 0.003}
	const trials = 200
	held, predicted := 0, 0
	for range trials {
		f, err := New(measured(law, 0.03, rng, 3, 1, 2, 4, 8))
		if err != nil {
			t.Fatal(err)
		}
		if f.ContentionInterval.Lo <= law.Contention && law.Contention <= f.ContentionInterval.Hi {
			held++
		}
		p := f.Predict(16)
		if next := law.At(16) * (1 + 0.03*rng.NormFloat64()); p.Interval.Lo <= next && next <= p.Interval.Hi {
			predicted++
		}
	}
	if held < trials*88/100 || predicted < trials*88/100 {
		t.Errorf("of %d intervals %d hold the contention and %d the next measurement, want 88 %% at least", trials, held, predicted)
	}
}

func TestLeaveOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	points := measured(Law{1000, 0.05, 0.002}, 0.01, rng, 3, 1, 2, 4, 8)
	c, err := LeaveOut(points)
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != 8 || !c.Within {
		t.Errorf("the law itself: %+v, want within", c)
	}
	for i := range points {
		if points[i].Size == 8 {
			points[i].Capacity /= 2 // something breaks down that the smaller sizes don't show
		}
	}
	if c, err = LeaveOut(points); err != nil || c.Within {
		t.Errorf("half of the law: %+v, %v, want not within", c, err)
	}
}

func TestRefuses(t *testing.T) {
	for _, points := range [][]Point{nil, {{1, 10}, {2, 19}, {2, 20}}, {{0, 1}, {1, 2}, {2, 3}}, {{1, 0}, {2, 3}, {3, 4}}} {
		if _, err := New(points); err == nil {
			t.Errorf("New(%v) fits", points)
		}
	}
}
