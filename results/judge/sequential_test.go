package judge

import (
	"math"
	"math/rand/v2"
	"testing"
)

// play adds requests one by one until the verdict is in or most are sent.
func play(t *testing.T, rng *rand.Rand, promised, drawn []float64, alpha float64, most int) *Sequential {
	t.Helper()
	s, err := NewSequential(promised, alpha)
	if err != nil {
		t.Fatal(err)
	}
	for range most {
		if err := s.Add(draw(rng, 1, drawn)); err != nil {
			t.Fatal(err)
		}
		if s.Decided() {
			break
		}
	}
	return s
}

// TestEveryLook: asked after every request, up to far more than any fixed test needs, what is as promised is called
// otherwise no oftener than alpha; and judged by the fixed test at every look, it is.
func TestEveryLook(t *testing.T) {
	const trials, most, alpha = 300, 3000, 0.05
	rng := rand.New(rand.NewPCG(11, 12))
	for _, weights := range [][]float64{{1, 1}, {7, 3}, {7, 3, 2}, {90, 10}} {
		alarms := 0
		for range trials {
			if play(t, rng, weights, weights, alpha, most).Verdict() == Fail {
				alarms++
			}
		}
		t.Logf("%v: %d of %d runs of %d requests raise a false alarm", weights, alarms, trials, most)
		if expected := alpha * trials; float64(alarms) > expected+3*math.Sqrt(expected) {
			t.Errorf("%v: %d of %d runs raise a false alarm, want %.0f at most", weights, alarms, trials, expected)
		}
	}
	naive := 0
	for range trials {
		counts := make([]int64, 2)
		for n := 1; n <= 500; n++ {
			for i, x := range draw(rng, 1, []float64{7, 3}) {
				counts[i] += x
			}
			if n >= 10 && binomial(counts[0], int64(n), 0.7) <= alpha {
				naive++
				break
			}
		}
	}
	t.Logf("the fixed test, asked after every of 500 requests: %d of %d", naive, trials)
	if naive < 3*alpha*trials {
		t.Errorf("the fixed test at every look raises %d of %d alarms: this test can't tell a sound one from it", naive, trials)
	}
}

// TestSavings: how many requests decide, against the number that is fixed beforehand for the same rate of false alarms.
func TestSavings(t *testing.T) {
	const trials, alpha = 60, 0.001
	rng := rand.New(rand.NewPCG(13, 14))
	fixed := needed(0.3, alpha, 0.1)
	for _, c := range []struct {
		name string
		real []float64
		want Verdict
		most float64 // of the fixed number, on the average
	}{
		{"as promised", []float64{70, 30}, Pass, 2},
		{"62:38", []float64{62, 38}, Fail, 0.25},
		{"50:50", []float64{50, 50}, Fail, 0.05},
		{"100:0", []float64{100, 1e-9}, Fail, 0.01},
	} {
		sum, right := 0.0, 0
		for range trials {
			s := play(t, rng, []float64{70, 30}, c.real, alpha, 5*int(fixed))
			sum += float64(s.total)
			if s.Verdict() == c.want {
				right++
			}
		}
		t.Logf("70:30 promised, %s: decided after %.0f requests on the average, fixed %d; %d of %d %s", c.name, sum/trials, fixed, right, trials, c.want)
		if right < trials || sum/trials > c.most*float64(fixed) {
			t.Errorf("70:30 promised, %s: %d of %d %s after %.0f requests on the average, want all, after %.2f of %d", c.name, right, trials, c.want, sum/trials, c.most, fixed)
		}
	}
}

// TestSequentialBatches: counts in batches are what they are one by one, and nothing changes a verdict.
func TestSequentialBatches(t *testing.T) {
	s, err := NewSequential([]float64{70, 30}, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	if s.Verdict() != Undecided || s.P() != 1 {
		t.Errorf("before the first request: %s, p = %v", s.Verdict(), s.P())
	}
	if err := s.Add([]int64{1000, 1000}); err != nil || s.Verdict() != Fail || s.P() > 1e-9 {
		t.Errorf("1000 and 1000 of 70:30: %s, p = %v, %v; want fail", s.Verdict(), s.P(), err)
	}
	if err := s.Add([]int64{70000, 30000}); err != nil || s.Verdict() != Fail || s.Counts()[0] != 1000 {
		t.Errorf("after the verdict: %s, counts %v, %v; want what decided", s.Verdict(), s.Counts(), err)
	}
	for _, counts := range [][]int64{{1}, {1, 2, 3}, {-1, 1}} {
		if s.Add(counts) == nil {
			t.Errorf("Add(%v): no error", counts)
		}
	}
	for _, c := range []struct {
		expected []float64
		alpha    float64
	}{{nil, 0.01}, {[]float64{1}, 0.01}, {[]float64{1, 0}, 0.01}, {[]float64{1, math.NaN()}, 0.01}, {[]float64{1, 1}, 0}, {[]float64{1, 1}, 1}} {
		if _, err := NewSequential(c.expected, c.alpha); err == nil {
			t.Errorf("NewSequential(%v, %v): no error", c.expected, c.alpha)
		}
	}
}
