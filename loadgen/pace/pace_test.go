package pace

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestDue(t *testing.T) {
	for _, test := range []struct {
		pace Pace
		want []time.Duration // of hits 0, 1, 2, …
	}{
		{Constant(4), []time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 1000 * ms}},
		{Constant(3), []time.Duration{0, 333333333, 666666667, 1000 * ms}},
		{Constant(0.5), []time.Duration{0, 2 * time.Second, 4 * time.Second}},
		// From 0 to 8/s in 4 s, n = t²: due at the square roots; after 16 hits 125 ms apart.
		{Ramp{0, 8, 4 * time.Second}, []time.Duration{
			0, time.Second, 1414213562, 1732050808, 2 * time.Second, 2236067977, 2449489743, 2645751311, 2828427125,
			3 * time.Second, 3162277660, 3316624790, 3464101615, 3605551275, 3741657387, 3872983346, 4 * time.Second, 4125 * ms,
		}},
		// From 4/s to 0 in 2 s: n = 4t − t², four hits in all.
		{Ramp{4, 0, 2 * time.Second}, []time.Duration{0, 267949192, 585786438, time.Second, 2 * time.Second, Never}},
		{Ramp{5, 5, time.Second}, []time.Duration{0, 200 * ms, 400 * ms, 600 * ms, 800 * ms, 1000 * ms, 1200 * ms}},
		{Step{[]float64{2, 4}, time.Second}, []time.Duration{0, 500 * ms, 1000 * ms, 1250 * ms, 1500 * ms, 1750 * ms, 2000 * ms}},
		{Step{[]float64{2, 0, 1}, time.Second}, []time.Duration{0, 500 * ms, 2000 * ms, 3000 * ms}},
		// One swing: after a whole period there were as many hits as at the mean rate.
		{Sine{10, 5, time.Second}, []time.Duration{10: time.Second, 20: 2 * time.Second}},
	} {
		for n, want := range test.want {
			if want == 0 && n > 0 {
				continue // not stated
			}
			if got := test.pace.Due(uint64(n)); got != want {
				t.Errorf("%#v.Due(%d) = %v, want %v", test.pace, n, got, want)
			}
		}
	}
}

// TestDueIsTheIntegral checks each pace against its own rate, integrated numerically.
func TestDueIsTheIntegral(t *testing.T) {
	for _, p := range []Pace{
		Constant(100),
		Ramp{10, 300, 5 * time.Second},
		Ramp{300, 10, 5 * time.Second},
		Step{[]float64{50, 0, 200}, time.Second},
		Sine{100, 99, 2 * time.Second},
		Sine{100, 0, time.Second},
	} {
		const dt = 50 * time.Microsecond
		var hits float64
		n := uint64(0)
		for at := time.Duration(0); at < 6*time.Second; at += dt {
			before := hits
			hits += p.Rate(at+dt/2) * dt.Seconds()
			for ; float64(n) < hits; n++ {
				if float64(n) < before {
					t.Fatalf("%#v: hit %d was passed over", p, n)
				}
				if got := p.Due(n); got < at-2*dt || got > at+3*dt {
					t.Fatalf("%#v.Due(%d) = %v, want about %v", p, n, got, at)
				}
			}
		}
	}
}

func TestDueNeverFalls(t *testing.T) {
	for _, p := range []Pace{
		Constant(1e6), Constant(0.001),
		Ramp{0, 1000, 3 * time.Second},
		Ramp{1000, 0, 3 * time.Second},
		Step{[]float64{0, 7, 0, 9}, 700 * ms},
		Sine{100, 99.99, 900 * ms},
		Poisson{1000, 7},
	} {
		last := time.Duration(-1)
		for n := range uint64(5000) {
			if due := p.Due(n); due < last {
				t.Fatalf("%#v: Due(%d) = %v after %v", p, n, due, last)
			} else {
				last = due
			}
		}
	}
}

// TestPoisson checks the distribution of the gaps and of the number of hits in a second.
func TestPoisson(t *testing.T) {
	const rate, hits = 1000, 20000
	p := Poisson{PerSecond: rate, Seed: 42}
	var below, sum, squares float64
	perSecond := map[int64]float64{}
	for n := range uint64(hits) {
		gap := (p.Due(n+1) - p.Due(n)).Seconds()
		sum += gap
		squares += gap * gap
		if gap < math.Ln2/rate {
			below++
		}
		perSecond[int64(p.Due(n)/time.Second)]++
	}
	mean := sum / hits
	sd := math.Sqrt(squares/hits - mean*mean)
	// Five standard errors each.
	near(t, "mean gap", mean, 1.0/rate, 5.0/rate/math.Sqrt(hits))
	near(t, "standard deviation of the gaps", sd, 1.0/rate, 5*math.Sqrt2/rate/math.Sqrt(hits))
	near(t, "gaps below the median", below/hits, 0.5, 5*0.5/math.Sqrt(hits))
	var dispersion float64
	for s := range int64(15) {
		dispersion += (perSecond[s] - rate) * (perSecond[s] - rate) / rate / 15
	}
	near(t, "variance over mean of the hits in a second", dispersion, 1, 5*math.Sqrt(2.0/15))
	if other := (Poisson{rate, 43}); other.Due(10) == p.Due(10) {
		t.Errorf("two seeds have the same arrivals")
	}
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s = %v, want %v ± %v", what, got, want, within)
	}
}

func TestCount(t *testing.T) {
	for _, test := range []struct {
		pace Pace
		end  time.Duration
		want uint64
	}{
		{Constant(200), 15 * time.Second, 3000},
		{Constant(200), 0, 0},
		{Constant(1), 500 * ms, 1},
		{Constant(3), time.Second, 3},
		{Ramp{0, 8, 4 * time.Second}, 4 * time.Second, 16},
		{Ramp{4, 0, 2 * time.Second}, time.Hour, 5},
		{Step{[]float64{100, 200}, time.Second}, 2 * time.Second, 300},
		{Sine{10, 5, time.Second}, 2 * time.Second, 20},
	} {
		if got := Count(test.pace, test.end); got != test.want {
			t.Errorf("Count(%#v, %v) = %d, want %d", test.pace, test.end, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	const d = 10 * time.Second
	for _, test := range []struct {
		text string
		want Pace // nil: an error
	}{
		{"constant", Constant(50)},
		{"poisson", Poisson{50, 3}},
		{"ramp:10:300.5", Ramp{10, 300.5, d}},
		{"step:10:20", Step{[]float64{10, 20}, 5 * time.Second}},
		{"sine:100:50", Sine{100, 50, d}},
		{"sine:100:50:2s", Sine{100, 50, 2 * time.Second}},
		{"", nil},
		{"constant:5", nil},
		{"poisson:5", nil},
		{"ramp", nil},
		{"ramp:1", nil},
		{"ramp:1:2:3", nil},
		{"ramp:0:0", nil},
		{"ramp:-1:5", nil},
		{"ramp:a:b", nil},
		{"ramp:1:inf", nil},
		{"ramp:1:NaN", nil},
		{"step", nil},
		{"step:5:0", nil},
		{"sine:50:50", nil},
		{"sine:50:10:0s", nil},
		{"sine:50:10:x", nil},
		{"saw:1:2", nil},
	} {
		got, err := Parse(test.text, 50, d, 3)
		if (err == nil) != (test.want != nil) || !reflect.DeepEqual(got, test.want) {
			t.Errorf("Parse(%q) = %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ramp:1:2")
	f.Add("sine:10:5:1s")
	f.Add("step:1:1e9:0.001")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text, 100, time.Second, 1)
		if err != nil {
			return
		}
		if p.Due(0) != 0 && p.Rate(0) > 0 {
			t.Errorf("Parse(%q): the first hit is due at %v", text, p.Due(0))
		}
		last := time.Duration(0)
		for n := uint64(0); n < 1<<40; n = n*2 + 1 {
			due := p.Due(n)
			if due < last {
				t.Fatalf("Parse(%q): Due(%d) = %v after %v", text, n, due, last)
			}
			last = due
		}
	})
}

func TestSchedule(t *testing.T) {
	s := NewSchedule(Constant(200), 2*time.Second, 15*time.Second)
	if s.Hits() != 3400 || s.Measured() != 3000 || s.End() != 17*time.Second || s.Rate() != 200 || !s.Paced() {
		t.Errorf("schedule of 200/s: %d hits, %d measured, end %v, rate %v", s.Hits(), s.Measured(), s.End(), s.Rate())
	}
	for n, want := range map[uint64]time.Duration{0: 0, 1: 5 * ms, 399: 1995 * ms, 400: 2 * time.Second, 3399: 16995 * ms} {
		if got := s.Due(n); got != want {
			t.Errorf("200/s after a warm-up of 2 s: Due(%d) = %v, want %v", n, got, want)
		}
	}
	for at, want := range map[time.Duration]uint64{0: 0, 2 * time.Second: 0, 3 * time.Second: 200, time.Hour: 3000} {
		if got := s.DueBy(at); got != want {
			t.Errorf("200/s after a warm-up of 2 s: DueBy(%v) = %d, want %d", at, got, want)
		}
	}
	// A ramp from 0 is warmed up at a tenth of its mean.
	s = NewSchedule(Ramp{0, 400, 10 * time.Second}, 5*time.Second, 10*time.Second)
	if s.Hits() != 2100 {
		t.Errorf("ramp:0:400 after a warm-up of 5 s: %d hits, want 100 + 2000", s.Hits())
	}
	if got := s.Peak(); got != 400 {
		t.Errorf("ramp:0:400 has its peak at %v", got)
	}
	// Parts add up to the whole, and each is due when it is in the whole.
	whole := NewSchedule(Ramp{0, 400, 10 * time.Second}, time.Second, 10*time.Second)
	seen := map[uint64]bool{}
	var hits, measured uint64
	for i := range uint64(4) {
		p := whole.Part(i, 4)
		hits, measured = hits+p.Hits(), measured+p.Measured()
		for n := range p.Hits() {
			if p.Due(n) != whole.Due(p.Number(n)) {
				t.Fatalf("part %d: Due(%d) = %v, in the whole %v", i, n, p.Due(n), whole.Due(p.Number(n)))
			}
			seen[p.Number(n)] = true
		}
	}
	if hits != whole.Hits() || measured != whole.Measured() || uint64(len(seen)) != hits {
		t.Errorf("four parts have %d hits, %d of them different, %d measured; the whole %d and %d", hits, len(seen), measured, whole.Hits(), whole.Measured())
	}
	s = NewSchedule(Constant(200), time.Second, time.Minute).First(100)
	if s.Measured() != 100 || s.Hits() != 300 || s.Duration != 500*time.Millisecond || s.Rate() != 200 {
		t.Errorf("the first 100 of 200/s: %d measured of %d in %v", s.Measured(), s.Hits(), s.Duration)
	}
	if s := Unpaced(time.Second, time.Second); s.Paced() || s.Measured() != 0 || s.Hits() == 0 || s.DueBy(time.Hour) != 0 {
		t.Errorf("unpaced: %+v", s)
	}
}

func BenchmarkDue(b *testing.B) {
	for _, p := range []Pace{
		Constant(200), Ramp{10, 300, time.Minute}, Step{[]float64{1, 2, 3, 4}, time.Minute}, Sine{100, 50, 10 * time.Second}, Poisson{200, 1},
	} {
		b.Run(fmt.Sprintf("%T", p), func(b *testing.B) {
			b.ReportAllocs()
			for n := range b.N {
				p.Due(uint64(n))
			}
		})
	}
}
