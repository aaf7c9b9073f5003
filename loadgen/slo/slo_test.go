package slo

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"balanceo/results/run"
)

func sample() *run.Record {
	return &run.Record{
		Requests: 1000, Responses: 998, SuccessRatio: 0.99, Duration: 10, Throughput: 99, ActualRate: 100, RequestedRate: 100,
		Latency:   run.Latency{Min: 0.001, Mean: 0.004, P50: 0.003, P90: 0.005, P95: 0.01, P99: 0.02, P999: 0.1, Max: 0.2},
		Generator: run.Generator{SendRatio: 1},
		Groups: []run.Group{
			{Verdict: run.Pass, Requests: 900, Upstreams: []run.Upstream{{Share: 0.67, ExpectedShare: 2.0 / 3}, {Share: 0.33, ExpectedShare: 1.0 / 3}}},
			{Verdict: run.Info, Requests: 90, Upstreams: []run.Upstream{{Share: 1, ExpectedShare: 0.5}}},
		},
		Session: &run.Session{Breaks: 3},
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		text  string
		value float64
		holds bool
		err   string
	}{
		{"p99<50ms", 0.02, true, ""},
		{"p99<20ms", 0.02, false, ""},
		{"p99<=20ms", 0.02, true, ""},
		{"p99>10ms", 0.02, true, ""},
		{" P99.9 >= 100ms ", 0.1, true, ""},
		{"mean<0.004s", 0.004, false, ""},
		{"errors<1%", 0.01, false, ""},
		{"errors<0.011", 0.01, true, ""},
		{"success>98.5%", 0.99, true, ""},
		{"throughput>=99", 99, true, ""},
		{"rate>99", 100, true, ""},
		{"deviation<1", 0.67 - 2.0/3, true, ""},
		{"deviation<0.3%", 0.67 - 2.0/3, false, ""},
		{"breaks<=3", 3, true, ""},
		{"lost<1", 0, false, "only scenario ws"},
	} {
		c, err := Parse(test.text)
		if err != nil || len(c) != 1 {
			t.Errorf("Parse(%q) = %v, %v", test.text, c, err)
			continue
		}
		value, holds, err := c[0].Check(sample())
		if math.Abs(value-test.value) > 1e-9 || holds != test.holds {
			t.Errorf("%s: Check = %v, %v, want %v, %v", test.text, value, holds, test.value, test.holds)
		}
		if (err != nil) != (test.err != "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: error %v, want %q", test.text, err, test.err)
		}
	}
	c, err := Parse("p99<20ms, errors<0.1%")
	if err != nil || len(c) != 2 {
		t.Errorf("two conditions: %v, %v", c, err)
	}
}

func TestCheckSaysNothingOfAnEmptyRun(t *testing.T) {
	for _, text := range []string{"p99<1s", "deviation<1"} {
		c, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, holds, err := c[0].Check(&run.Record{}); holds || err == nil {
			t.Errorf("%s of a run without requests: %v, %v, want false and an error", text, holds, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":               "want METRIC<LIMIT",
		"p99":            "want METRIC<LIMIT",
		"p98<5ms":        `"p98" is no metric`,
		"p99<5":          `"5" is no time`,
		"p99<-5ms":       "is no time",
		"errors<x":       `"x" is no limit: want a percentage`,
		"errors<200%":    "more than all",
		"rate>5%":        "want a number",
		"deviation<-1":   "percentage points",
		"p99<5ms,":       "want METRIC<LIMIT",
		"throughput<NaN": "is no limit",
	} {
		if c, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %q", text, c, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"p99<50ms", "errors<=0.1%,rate>5", "<", "p99<", "deviation>1%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		conditions, err := Parse(text)
		if err != nil {
			return
		}
		for _, c := range conditions {
			if _, _, err := c.Check(sample()); err != nil && !strings.Contains(err.Error(), "scenario") {
				t.Errorf("Parse(%q): Check: %v", text, err)
			}
		}
	})
}

// capacity is a server that answers up to so many requests a second.
func capacity(most float64, probed *[]float64) Probe {
	return func(_ context.Context, rate float64, _ bool) (*run.Record, error) {
		*probed = append(*probed, rate)
		r := &run.Record{RequestedRate: rate, ActualRate: rate, Requests: 100, SuccessRatio: 1, Generator: run.Generator{SendRatio: 1}}
		r.Latency.P99 = 0.005
		if rate > most {
			r.Latency.P99 = 2
		}
		return r, nil
	}
}

func TestSearch(t *testing.T) {
	conditions, err := Parse("p99<20ms,errors<0.1%")
	if err != nil {
		t.Fatal(err)
	}
	s := SLO{Text: "p99<20ms,errors<0.1%", Conditions: conditions}
	for _, test := range []struct{ start, most float64 }{
		{200, 1234}, {200, 200}, {200, 199}, {1, 100000}, {5000, 3}, {10, 9.5}, {200, 1e9},
	} {
		var probed []float64
		found, last, err := s.Search(context.Background(), test.start, capacity(test.most, &probed))
		if err != nil {
			t.Fatalf("Search from %v to %v: %v", test.start, test.most, err)
		}
		want := min(test.most, highestRate*2)
		if !found.Confirmed || found.MaxRate > want || found.MaxRate*DefaultPrecision < want && test.most < highestRate {
			t.Errorf("Search from %v: %v, want %v within %v; tried %v", test.start, found.MaxRate, want, DefaultPrecision, probed)
		}
		if n := len(found.Steps); n != len(probed) || !found.Steps[n-1].Held || last.RequestedRate != found.MaxRate {
			t.Errorf("Search from %v: %d steps of %d, the last %+v", test.start, n, len(probed), found.Steps[n-1])
		}
		if len(probed) > 40 {
			t.Errorf("Search from %v took %d steps", test.start, len(probed))
		}
	}

	var probed []float64
	found, _, err := s.Search(context.Background(), 100, capacity(0, &probed))
	if err != nil || found.Confirmed || found.MaxRate != 0 || !strings.Contains(found.Steps[0].Reason, "p99 is 2s, want <20ms") {
		t.Errorf("nothing holds: %+v, %v", found, err)
	}
}

// TestSearchConfirms has a server that holds each rate only for a while.
func TestSearchConfirms(t *testing.T) {
	conditions, err := Parse("p99<20ms")
	if err != nil {
		t.Fatal(err)
	}
	s := SLO{Text: "p99<20ms", Conditions: conditions}
	for _, test := range []struct {
		sustained float64
		least     float64 // MaxRate; 0: none is confirmed
	}{{1000, 980}, {930, 850}, {500, 390}, {300, 0}} {
		var probed []float64
		short, long := capacity(1000, &probed), capacity(test.sustained, &probed)
		found, _, err := s.Search(context.Background(), 100, func(ctx context.Context, rate float64, confirm bool) (*run.Record, error) {
			if confirm {
				return long(ctx, rate, confirm)
			}
			return short(ctx, rate, confirm)
		})
		if err != nil || found.Confirmed != (test.least > 0) || found.MaxRate > test.sustained || found.MaxRate < test.least {
			t.Errorf("Search with %v sustained: %+v, %v, want a rate confirmed from %v on", test.sustained, found, err, test.least)
		}
	}
}

func TestSearchEnds(t *testing.T) {
	s := SLO{Text: "rate>0"}
	broken := errors.New("broken")
	found, _, err := s.Search(context.Background(), 100, func(context.Context, float64, bool) (*run.Record, error) { return nil, broken })
	if !errors.Is(err, broken) || found == nil {
		t.Errorf("a probe that fails: %+v, %v", found, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var probed []float64
	probe := capacity(1000, &probed)
	found, last, err := s.Search(ctx, 100, func(ctx context.Context, rate float64, confirm bool) (*run.Record, error) {
		if rate > 350 {
			cancel()
		}
		return probe(ctx, rate, confirm)
	})
	if !errors.Is(err, ErrInterrupted) || len(found.Steps) < 3 || found.Confirmed || found.MaxRate < 350 || last == nil {
		t.Errorf("interrupted on the way up: %+v, %v", found, err)
	}
}

// TestSearchUnderNoise has a server whose p99 wavers by a tenth from run to run, and of whose runs one in twenty is
// spoilt by a pause that has nothing to do with the rate. The search is still right, within what the noise is worth.
func TestSearchUnderNoise(t *testing.T) {
	conditions, err := Parse("p99<20ms")
	if err != nil {
		t.Fatal(err)
	}
	s := SLO{Text: "p99<20ms", Conditions: conditions}
	noise := rand.New(rand.NewPCG(7, 7))
	const searches, knee = 300, 1000
	off, sum, runs := 0, 0.0, 0
	for range searches {
		found, _, err := s.Search(context.Background(), 200, func(_ context.Context, rate float64, _ bool) (*run.Record, error) {
			runs++
			r := &run.Record{RequestedRate: rate, ActualRate: rate, Requests: 3000, SuccessRatio: 1, Generator: run.Generator{SendRatio: 1}}
			// The latency of a queue grows with the inverse of what is left of the capacity, which is 1,100/s.
			r.Latency.P99 = 0.002 * 1100 / max(1100-rate, 1) * math.Exp(noise.NormFloat64()*0.1) * (20.0 / 22)
			if noise.IntN(20) == 0 {
				r.Latency.P99 = 0.5
			}
			return r, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sum += found.MaxRate
		if found.MaxRate < 0.95*knee || found.MaxRate > 1.05*knee || found.Confidence <= 0 {
			off++
		}
	}
	t.Logf("%d of %d searches off by more than 5 %%; mean %.0f; %d runs each", off, searches, sum/searches, runs/searches)
	if off > searches/20 || math.Abs(sum/searches-knee) > 0.02*knee {
		t.Errorf("%d of %d searches were off by more than 5 %%, the mean is %.0f; want %v", off, searches, sum/searches, knee)
	}
}

// TestMissing are requests without an answer: a percentile that they could be above is not known.
func TestMissing(t *testing.T) {
	for _, test := range []struct {
		expr    string
		missing int64
		holds   bool
	}{
		{"p99<50ms", 0, true},
		{"p99<50ms", 9, true},
		{"p99<50ms", 20, false},
		{"p50<50ms", 20, true},
		{"max<50ms", 1, false},
		{"p999<50ms", 1, true},
		{"p999<50ms", 2, false},
	} {
		c, err := Parse(test.expr)
		if err != nil {
			t.Fatal(err)
		}
		r := &run.Record{Requests: 1000, Missing: test.missing, SuccessRatio: 1 - float64(test.missing)/1000, Latency: run.Latency{Max: 0.04}}
		if _, holds, err := c[0].Check(r); holds != test.holds || holds == (err != nil) {
			t.Errorf("%s with %d of 1000 requests missing: %v, %v, want %v", test.expr, test.missing, holds, err, test.holds)
		}
	}
}

func TestSample(t *testing.T) {
	for text, want := range map[string]float64{"p99<20ms": 1000, "p99<20ms,errors<0.1%": 3000, "p999<1s": 10000, "rate>100": 0} {
		c, err := Parse(text)
		if got := (SLO{Conditions: c}).Sample(); err != nil || got != want {
			t.Errorf("%s takes %v requests, %v; want %v", text, got, err, want)
		}
	}
}
