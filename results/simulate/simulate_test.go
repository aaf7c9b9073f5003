package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func play(t *testing.T, name string, c Config, at ...int64) []Snapshot {
	t.Helper()
	for _, m := range Methods() {
		if m.Name == name {
			return m.Play(c, at)
		}
	}
	t.Fatalf("no method %q", name)
	return nil
}

func TestSmoothIsNginxs(t *testing.T) {
	if got, want := smooth([]int{5, 1, 1}, 7), []int32{0, 0, 1, 0, 2, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("smooth 5:1:1 = %v, want %v", got, want)
	}
	if got, want := smooth([]int{2, 1}, 3), []int32{0, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("smooth 2:1 = %v, want %v", got, want)
	}
}

// TestKnownDeviations holds the counts against what theory says of them.
func TestKnownDeviations(t *testing.T) {
	one := Config{Upstreams: 10, Balancers: 1, Busy: 1, Seed: 1}
	if s := play(t, "round robin, smooth (nginx)", one, 1000, 1005); s[0].Worst != 0 || s[1].Worst > 1 {
		t.Errorf("one balancer in rotation: %+v, want 0 after whole rounds and 1 at most", s)
	}
	many := Config{Upstreams: 10, Balancers: 8, Busy: 1, Seed: 1, Weighted: true}
	for _, name := range []string{"round robin, smooth (nginx)", "round robin, earliest first (HAProxy, Traefik)"} {
		for _, s := range play(t, name, many, 1e4, 1e5, 1e6) {
			if s.Worst > 3*8 {
				t.Errorf("%s, eight balancers: %.1f requests apart after %d, want no growth beyond a few for each", name, s.Worst, s.Requests)
			}
		}
	}
	const n = 1_000_000
	s := play(t, "random", Config{Upstreams: 100, Balancers: 8, Busy: 1, Seed: 1}, n)[0]
	sd := math.Sqrt(n * 0.01 * 0.99) // the greatest of 100 lies at 2 to 4.5 of them
	if s.Worst < 2*sd || s.Worst > 4.5*sd {
		t.Errorf("random: %.0f requests apart, want 2 to 4.5 standard deviations of %.0f", s.Worst, sd)
	}
	// With one balancer, which sees all requests, two choices keep the busiest far below that of one choice.
	alone := Config{Upstreams: 1000, Balancers: 1, Busy: 10, Seed: 1}
	oneChoice, two := play(t, "random", alone, n)[0], play(t, "two choices, fewer under way", alone, n)[0]
	if two.Busiest > 0.7*oneChoice.Busiest {
		t.Errorf("busiest with two choices %.1f, with one %.1f; want far less", two.Busiest, oneChoice.Busiest)
	}
}

func TestWheelEndsWhatItHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	w := newWheel(5)
	held, sum := 0, 0.0
	const n = 100_000
	for range n {
		held -= len(w.step())
		w.add(request{}, rng.ExpFloat64())
		held++
		sum += float64(held)
	}
	if mean := sum / n; mean < 5 || mean > 6.1 { // a request lasts 5 arrivals and the rest of one
		t.Errorf("%.2f under way on average, want 5 to 6", mean)
	}
}
