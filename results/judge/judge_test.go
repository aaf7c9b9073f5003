package judge

import (
	"bytes"
	"encoding/xml"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func shares(weights []float64, counts ...int64) []Share {
	out := make([]Share, len(weights))
	for i := range weights {
		out[i] = Share{string(rune('a' + i)), weights[i], counts[i]}
	}
	return out
}

// draw gives n requests to servers at random.
func draw(rng *rand.Rand, n int, weights []float64) []int64 {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	counts := make([]int64, len(weights))
	for range n {
		u, i := rng.Float64()*sum, 0
		for u >= weights[i] && i < len(weights)-1 {
			u -= weights[i]
			i++
		}
		counts[i]++
	}
	return counts
}

func TestPublished(t *testing.T) {
	for _, c := range []struct {
		source    string
		weights   []float64
		counts    []int64
		p, within float64
		test      string
	}{
		{"Conover, Practical Nonparametric Statistics, as in R's binom.test(682, 925, p = 0.75): 0.3825", []float64{3, 1}, []int64{682, 243}, 0.3825, 0.003, "exact binomial"},
		{"by hand: three times (1/3)^5", []float64{1, 1, 1}, []int64{5, 0, 0}, 3.0 / 243, 1e-12, "exact multinomial"},
		{"by hand: everything is as far off or farther", []float64{1, 1, 1}, []int64{1, 1, 1}, 1, 1e-12, "exact multinomial"},
		{
			"Mendel's peas, 315:108:101:32 for 9:3:3:1; Sokal and Rohlf, Biometry: G = 0.475, three degrees of freedom",
			[]float64{9, 3, 3, 1},
			[]int64{315, 108, 101, 32},
			0.924, 0.002, "G-test",
		},
	} {
		r, err := Judge(shares(c.weights, c.counts...), Options{})
		if err != nil || !near(r.P, c.p, c.within) || r.Test != c.test {
			t.Errorf("%s: p = %v by %q (%v), want %v by %q", c.source, r.P, r.Test, err, c.p, c.test)
		}
	}
}

// TestCases judges counts from public issue trackers; the table in the README is made of them.
func TestCases(t *testing.T) {
	for _, c := range []struct {
		where   string
		weights []float64
		counts  []int64
		want    Verdict
		says    string
	}{
		{"volcano-sh/kthena#1180", []float64{70, 30}, []int64{312, 188}, Fail, "a got 62.4 % where 70 % is promised: by chance once in 3,400 such runs. Not chance."},
		{"knative/serving#5061", []float64{50, 50}, []int64{14, 15}, Undecided, "by chance in 100 of 100 such runs. Can't tell"},
		{"lexfrei/cloudflare-tunnel-gateway-controller#364", []float64{90, 10}, []int64{30, 0}, Undecided, "by chance in 5 of 100 such runs. Can't tell"},
		{"Kong/kong-operator#4661", []float64{70, 30}, []int64{500, 0}, Fail, "a got 100 % where 70 % is promised: by chance less than once in 10¹⁵ such runs. Not chance."},
		{"kubernetes-sigs/gateway-api#3708", []float64{20, 80}, []int64{117, 383}, Undecided, "by chance in 6 of 100 such runs. Can't tell"},
		{"envoyproxy/gateway#5684", []float64{20, 80}, []int64{83, 417}, Undecided, "by chance in 6 of 100 such runs. Can't tell"},
	} {
		r, err := Judge(shares(c.weights, c.counts...), Options{})
		if err != nil || r.Verdict != c.want || !strings.Contains(r.Sentence, c.says) {
			t.Errorf("%s: %s, %q (%v), want %s, %q", c.where, r.Verdict, r.Sentence, err, c.want, c.says)
			continue
		}
		t.Logf("| %s | %v of %v | %s | %s | %d |", c.where, c.counts, c.weights, r.Verdict, r.Sentence, r.Needed)
	}
}

// TestFalseAlarms: counts that are as promised are called otherwise as seldom as was asked for, by each of the tests.
func TestFalseAlarms(t *testing.T) {
	const rate = 0.05
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		weights []float64
		n       int
		test    string
	}{
		{[]float64{7, 3}, 40, "exact binomial"},
		{[]float64{99, 1}, 500, "exact binomial"},
		{[]float64{7, 3, 2}, 60, "exact multinomial"},
		{[]float64{5, 3, 2, 1, 1}, 2000, "G-test"},
		{[]float64{50, 30, 20, 1, 1, 1}, 500, "exact binomials, Bonferroni"},
	} {
		trials := 800
		if c.test == "exact multinomial" {
			trials = 400
		}
		alarms := 0
		for range trials {
			r, err := Judge(shares(c.weights, draw(rng, c.n, c.weights)...), Options{False: rate})
			if err != nil || r.Test != c.test {
				t.Fatalf("%v of %d: by %q, %v; want %q", c.weights, c.n, r.Test, err, c.test)
			}
			if r.Verdict == Fail {
				alarms++
			}
		}
		expected := rate * float64(trials)
		if float64(alarms) > expected+3*math.Sqrt(expected) {
			t.Errorf("%v, %d requests, %s: %d of %d false alarms, want %.0f at most", c.weights, c.n, c.test, alarms, trials, expected)
		}
	}
}

// TestNeededDecides: as many requests as Needed says show shares that are as promised to be so, and a share that is off by
// twice the precision is not called promised.
func TestNeededDecides(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, weights := range [][]float64{{1, 1}, {7, 3}, {2, 1, 1}} {
		first, err := Judge(shares(weights, 1, 1, 1)[:len(weights)], Options{})
		if weights := len(weights); weights == 3 {
			first, err = Judge(shares([]float64{2, 1, 1}, 1, 1, 1), Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
		const trials = 200
		passed, wrong := 0, 0
		off := append([]float64{}, weights...)
		off[0] *= 0.8
		off[1] += 0.2 * weights[0]
		for range trials {
			r, err := Judge(shares(weights, draw(rng, int(first.Needed), weights)...), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict == Pass {
				passed++
			}
			if r, _ := Judge(shares(weights, draw(rng, int(first.Needed), off)...), Options{}); r.Verdict == Pass {
				wrong++
			}
		}
		if passed < 170 || wrong > 0 { // 180 on the average, and a standard deviation of 4
			t.Errorf("%v, %d requests: %d of %d pass where all is well, %d where 20 %% is off", weights, first.Needed, passed, trials, wrong)
		}
	}
}

// TestFoundIsFound: what the result says it could tell is told, nine times in ten.
func TestFoundIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	r, err := Judge(shares([]float64{70, 30}, 350, 150), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, share := range []float64{r.Shares[0].FoundBelow, r.Shares[0].FoundAbove} {
		found := 0
		for range 1000 {
			if r, _ := Judge(shares([]float64{70, 30}, draw(rng, 500, []float64{share, 1 - share})...), Options{}); r.Verdict == Fail {
				found++
			}
		}
		if found < 870 || found > 960 {
			t.Errorf("a share of %.3f is told from 0.7 in %d of 1000 runs, want about 900", share, found)
		}
	}
}

// TestNoContradiction: whatever the counts, no number of a result says the opposite of another.
func TestNoContradiction(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		weights := make([]float64, 2+rng.IntN(4))
		counts := make([]int64, len(weights))
		for i := range weights {
			weights[i] = 1 + float64(rng.IntN(9))
			counts[i] = int64(math.Exp(4 * rng.Float64()))
		}
		if rng.IntN(2) == 0 {
			counts = draw(rng, 1+rng.IntN(300)*(1+19*rng.IntN(2)), weights)
		}
		opt := Options{False: []float64{0.001, 0.05, 1e-6}[rng.IntN(3)]}
		r, err := Judge(shares(weights, counts...), opt)
		if err != nil {
			t.Fatal(err)
		}
		within := true
		for _, s := range r.Shares {
			if s.Lo > s.Share+1e-9 || s.Hi < s.Share-1e-9 || s.Lo < 0 || s.Hi > 1 || s.FoundBelow > s.Expected || s.FoundAbove < s.Expected {
				t.Errorf("%v of %v: %+v", counts, weights, s)
			}
			if (s.Lo > s.Expected || s.Hi < s.Expected) && r.Verdict != Fail {
				t.Errorf("%v of %v: %s, and %q is excluded: %+v", counts, weights, r.Verdict, s.Name, s)
			}
			within = within && s.Lo >= 0.9*s.Expected && s.Hi <= 1.1*s.Expected
		}
		if (r.Verdict == Fail) != (r.P <= opt.False) || r.Verdict == Pass && !within {
			t.Errorf("%v of %v: %s with p = %v", counts, weights, r.Verdict, r.P)
		}
		if len(weights) == 2 && (r.Shares[0].Lo > r.Shares[0].Expected || r.Shares[0].Hi < r.Shares[0].Expected) != (r.Verdict == Fail) {
			t.Errorf("%v of %v: %s, interval %+v", counts, weights, r.Verdict, r.Shares[0])
		}
	}
}

// TestHuge: counts far beyond any log are judged as the normal approximation has it.
func TestHuge(t *testing.T) {
	for _, n := range []int64{1e7, 1e9, 1e11} {
		off := int64(3 * math.Sqrt(float64(n)*0.21))
		r, err := Judge(shares([]float64{7, 3}, n/10*7-off, n/10*3+off), Options{})
		if err != nil || !near(r.P, 0.0027, 0.0001) || r.Verdict != Pass {
			t.Errorf("%d requests, three standard deviations off: p = %v, %s (%v); want 0.0027 and pass", n, r.P, r.Verdict, err)
		}
	}
}

func TestCycle(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []float64
		counts  []int64
		cycles  int
		want    Verdict
	}{
		{"exact", []float64{2, 1}, []int64{1333, 667}, 1, Pass},
		{"one off", []float64{2, 1}, []int64{1332, 668}, 1, Fail},
		{"one off with two processes", []float64{2, 1}, []int64{1332, 668}, 2, Pass},
		{"HAProxy's roundrobin drifts with 3:3:2", []float64{3, 3, 2}, []int64{453, 453, 294}, 1, Fail},
		{"contiguous runs, cut off in the first", []float64{7, 3, 2}, []int64{7, 0, 0}, 1, Undecided},
		{"weights as they are", []float64{70, 30}, []int64{10, 0}, 1, Undecided},
		{"no cycle of ten ends so", []float64{7, 3}, []int64{10, 0}, 1, Fail},
		{"too few to exclude anything", []float64{1, 1}, []int64{3, 3}, 1, Undecided},
	} {
		r, err := Judge(shares(c.weights, c.counts...), Options{Method: RoundRobin, Cycles: c.cycles})
		if err != nil || r.Verdict != c.want {
			t.Errorf("%s: %v of %v is %+v, %v; want %s", c.name, c.counts, c.weights, r, err, c.want)
		}
	}
	// Any order within the cycle, any start, any length: never a false alarm.
	rng := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		weights := []float64{1 + float64(rng.IntN(7)), 1 + float64(rng.IntN(7)), 1 + float64(rng.IntN(7))}
		var cycle []int
		for i, w := range weights {
			for range int(w) {
				cycle = append(cycle, i)
			}
		}
		if rng.IntN(2) == 0 {
			rng.Shuffle(len(cycle), func(i, j int) { cycle[i], cycle[j] = cycle[j], cycle[i] })
		}
		counts, start := make([]int64, 3), rng.IntN(len(cycle))
		for k := range 1 + rng.IntN(200) {
			counts[cycle[(start+k)%len(cycle)]]++
		}
		if r, err := Judge(shares(weights, counts...), Options{Method: RoundRobin}); err != nil || r.Verdict == Fail {
			t.Errorf("cycle %v from %d: %v is %+v, %v", cycle, start, counts, r, err)
		}
	}
	if _, err := Judge(shares([]float64{0.5, 0.5}, 1, 1), Options{Method: RoundRobin}); err == nil {
		t.Error("a cycle of halves: no error")
	}
}

func TestNonsense(t *testing.T) {
	ok := shares([]float64{1, 1}, 1, 1)
	for name, c := range map[string]struct {
		shares []Share
		opt    Options
		want   string
	}{
		"one name":              {ok[:1], Options{}, "two or more"},
		"none":                  {nil, Options{}, "two or more"},
		"weights that overflow": {shares([]float64{1e308, 1e308}, 5, 5), Options{}, "too large"},
		"twice":                 {[]Share{{"a", 1, 1}, {"a", 1, 1}}, Options{}, `"a": given twice`},
		"weight 0":              {shares([]float64{1, 0}, 1, 1), Options{}, `weight 0 of "b"`},
		"weight NaN":            {shares([]float64{1, math.NaN()}, 1, 1), Options{}, `weight NaN of "b"`},
		"weight infinite":       {shares([]float64{1, math.Inf(1)}, 1, 1), Options{}, `weight +Inf of "b"`},
		"below 0":               {shares([]float64{1, 1}, 1, -1), Options{}, `count -1 of "b"`},
		"nothing counted":       {shares([]float64{1, 1}, 0, 0), Options{}, "nothing to judge"},
		"too many":              {shares([]float64{1, 1}, math.MaxInt64, math.MaxInt64), Options{}, "can be judged"},
		"method":                {ok, Options{Method: "magic"}, `method "magic"`},
		"false":                 {ok, Options{False: 2}, "false alarms 2"},
		"precision":             {ok, Options{Precision: -1}, "precision -1"},
		"cycles":                {ok, Options{Cycles: -1}, "-1 cycles"},
	} {
		if r, err := Judge(c.shares, c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want an error with %q", name, r, err, c.want)
		}
	}
	if r, err := Judge(shares([]float64{1, 1}, 100, 0), Options{Method: None}); err != nil || r.Verdict != Undecided {
		t.Errorf("a method that promises nothing: %+v, %v; want it undecided", r, err)
	}
}

// TestAllTogether: shares none of which is excluded alone, though all together are, are said to be so.
func TestAllTogether(t *testing.T) {
	r, err := Judge(shares([]float64{1, 1, 1, 1, 1, 1}, 80, 120, 80, 120, 80, 120), Options{})
	if err != nil || r.Verdict != Fail || !strings.Contains(r.Sentence, "none too far alone, but all together") {
		t.Errorf("%+v, %v; want fail and why", r, err)
	}
}

func TestReports(t *testing.T) {
	for _, c := range []struct {
		counts []int64
		tap    string
		junit  string
	}{
		{[]int64{312, 188}, "\nnot ok 1 - shares\n", `failures="1" skipped="0"`},
		{[]int64{7000, 3000}, "\nok 1 - shares\n", `failures="0" skipped="0"`},
		{[]int64{7, 3}, "\nok 1 - shares # SKIP undecided\n", `failures="0" skipped="1"`},
	} {
		r, err := Judge(shares([]float64{70, 30}, c.counts...), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var tap, junit bytes.Buffer
		if err := r.TAP(&tap); err != nil || !strings.HasPrefix(tap.String(), "TAP version 13\n1..1\n") || !strings.Contains(tap.String(), c.tap) {
			t.Errorf("TAP of %v (%v):\n%s", c.counts, err, &tap)
		}
		for _, line := range strings.Split(strings.TrimSpace(tap.String()), "\n")[3:] {
			if !strings.HasPrefix(line, "# ") {
				t.Errorf("TAP of %v: line %q is no comment", c.counts, line)
			}
		}
		if err := r.JUnit(&junit); err != nil || !strings.Contains(junit.String(), c.junit) || xml.Unmarshal(junit.Bytes(), new(struct{})) != nil {
			t.Errorf("JUnit of %v (%v):\n%s", c.counts, err, &junit)
		}
	}
}

func TestG(t *testing.T) {
	for _, c := range []struct {
		counts []int64
		shares []float64
		want   float64
	}{
		{[]int64{50, 50}, []float64{0.5, 0.5}, 0},
		{[]int64{60, 40}, []float64{0.5, 0.5}, 2 * (60*math.Log(1.2) + 40*math.Log(0.8))},
		{[]int64{100, 0}, []float64{0.5, 0.5}, 200 * math.Ln2},
		{[]int64{1, 1}, []float64{1, 0}, math.Inf(1)},
		{nil, nil, 0},
	} {
		if got := G(c.counts, c.shares); math.Abs(got-c.want) > 1e-9 && got != c.want {
			t.Errorf("G(%v, %v) = %v, want %v", c.counts, c.shares, got, c.want)
		}
	}
}
