package merge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"

	"balanceo/results/run"
)

// hit is one request as a generator sees it.
type hit struct {
	second   int
	latency  time.Duration
	upstream int
	route    int
	failed   bool
}

// hits is what a server with a slow tail and one failure in fifty answers to 200 requests a second, over a balancer
// that shares 2:1.
func hits(n int) []hit {
	rng := rand.New(rand.NewPCG(7, 8))
	out := make([]hit, n)
	for i := range out {
		ms := math.Exp(rng.NormFloat64())
		if rng.IntN(20) == 0 {
			ms *= 40
		}
		out[i] = hit{i / 200, time.Duration(ms * 1e6), []int{0, 1, 0}[i%3], rng.IntN(2), rng.IntN(50) == 0}
	}
	return out
}

var start = time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)

// generator makes the record of one that sent the hits of which mine is true.
func generator(t *testing.T, all []hit, part *run.Part, mine func(i int) bool) *run.Record {
	t.Helper()
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3) }
	summary := func(h *hdrhistogram.Histogram, keep bool) run.Latency {
		if h.TotalCount() == 0 {
			return run.Latency{}
		}
		l, err := run.Summarize(h, keep)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	keep := part != nil
	seconds := all[len(all)-1].second + 1
	whole, failures := histogram(), histogram()
	routes := []*hdrhistogram.Histogram{histogram(), histogram()}
	upstreams := []*hdrhistogram.Histogram{histogram(), histogram()}
	bySecond := make([][2]*hdrhistogram.Histogram, seconds)
	r := &run.Record{
		Schema: run.Schema, ID: "whole", Started: start.Add(20 * time.Millisecond), Scenario: "mix", Target: "http://127.0.0.1:80",
		Duration: float64(seconds), RequestedRate: 200, ActualRate: 200, Status: map[string]int64{}, Errors: []run.ErrorCount{{Class: "http_5xx"}},
		Generator: run.Generator{CPU: 1, SendRatio: 1}, Series: make([]run.Point, seconds), Part: part,
		Groups: []run.Group{{
			Name: "node_app", Method: "round_robin", Verdict: run.Info, Bound: 1, Upstreams: []run.Upstream{
				{Addr: "127.0.0.1:8080", Weight: 2, ExpectedShare: 2.0 / 3, Workers: []run.Worker{{PID: 1}}, Series: make([]run.Second, seconds)},
				{Addr: "127.0.0.1:8081", Weight: 1, ExpectedShare: 1.0 / 3, Workers: []run.Worker{{PID: 2}}, Series: make([]run.Second, seconds)},
			},
		}},
		Routes: []run.Route{{Method: "GET", Path: "/a"}, {Method: "GET", Path: "/b"}},
	}
	for i := range bySecond {
		bySecond[i] = [2]*hdrhistogram.Histogram{histogram(), histogram()}
		r.Series[i].T = float64(i)
	}
	if part != nil {
		r.ID = fmt.Sprintf("part-%d", part.Number)
		r.RequestedRate, r.ActualRate = 200/float64(part.Of), 200/float64(part.Of)
		r.Started = start.Add(time.Duration(10*part.Number) * time.Millisecond)
	}
	successes := 0.0
	perUpstream := [2][]*hdrhistogram.Histogram{}
	for i := range perUpstream {
		for range seconds {
			perUpstream[i] = append(perUpstream[i], histogram())
		}
	}
	for i, h := range all {
		if !mine(i) {
			continue
		}
		us := h.latency.Microseconds()
		u, route, second := &r.Groups[0].Upstreams[h.upstream], &r.Routes[h.route], &r.Series[h.second]
		r.Requests++
		r.Responses++
		r.Groups[0].Requests++
		u.Requests++
		u.Workers[0].Requests++
		u.Series[h.second].Requests++
		route.Requests++
		second.Sent++
		if h.failed {
			r.Status["502"]++
			r.Errors[0].Count++
			second.Errors++
			u.Series[h.second].Errors++
			_ = failures.RecordValue(us)
			continue
		}
		successes++
		r.Status["200"]++
		u.SuccessRatio++
		route.Throughput += 1 / float64(seconds)
		for _, to := range []*hdrhistogram.Histogram{whole, routes[h.route], upstreams[h.upstream], bySecond[h.second][0], perUpstream[h.upstream][h.second]} {
			_ = to.RecordValue(us)
		}
	}
	r.SuccessRatio = successes / float64(r.Requests)
	r.Latency = summary(whole, true)
	f := summary(failures, true)
	r.Failures = &f
	for i := range r.Routes {
		r.Routes[i].Latency = summary(routes[i], true)
		u := &r.Groups[0].Upstreams[i]
		u.Share = float64(u.Requests) / float64(r.Requests)
		u.SuccessRatio /= float64(u.Requests)
		u.Latency = summary(upstreams[i], keep)
		for k := range u.Series {
			l := summary(perUpstream[i][k], keep)
			u.Series[k].P50, u.Series[k].P99, u.Series[k].HDR = l.P50, l.P99, l.HDR
		}
	}
	for i := range r.Series {
		l := summary(bySecond[i][0], keep)
		r.Series[i].P50, r.Series[i].P99, r.Series[i].HDR = l.P50, l.P99, l.HDR
	}
	n := r.Responses
	servers := n
	r.Reconciliation = run.Reconciliation{Client: n, Nginx: &n, Servers: &servers, Attributed: map[string]int64{}}
	if part != nil {
		own := int64(100 / part.Of) // of the warm-up
		r.Reconciliation.Attributed["warmup"] = own
		r.Reconciliation.Attributed["foreign"] = int64(len(all)) - n + 100 - own + 5 // five were sent by somebody else
		r.Groups[0].Notes = []string{"of all", fmt.Sprint("of ", part.Number)}
	} else {
		r.Reconciliation.Attributed["warmup"], r.Reconciliation.Attributed["foreign"] = 100, 5
		r.Groups[0].Notes = []string{"of all", "Part 1: of 1", "Part 2: of 2", "Part 3: of 3", "Part 4: of 4"}
		r.Groups[0].Verdict = run.Pass
	}
	return r
}

func split(t *testing.T, all []hit, of int) []*run.Record {
	t.Helper()
	var parts []*run.Record
	for number := of; number >= 1; number-- { // not in their order
		offset := float64(10*number) / 1000
		parts = append(parts, generator(t, all, &run.Part{Number: number, Of: of, StartAt: start, ClockOffset: &offset},
			func(i int) bool { return i%of == number-1 }))
	}
	return parts
}

// TestFourPartsAreOneGenerator holds the sum of four parts against one generator that sent the same hits.
func TestFourPartsAreOneGenerator(t *testing.T) {
	all := hits(3000)
	want := generator(t, all, nil, func(int) bool { return true })
	got, err := Records(split(t, all, 4))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got.Parts {
		if p.Number != i+1 || p.Run != fmt.Sprintf("part-%d", i+1) {
			t.Errorf("part %d is %+v", i, p)
		}
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings %q, want none: the clocks are 10 ms apart, and that is known", got.Warnings)
	}
	if got.Generator.CPU != 4 || got.ID == "" {
		t.Errorf("id %q, generator %+v", got.ID, got.Generator)
	}
	// What is of the generators is not compared.
	got.ID, got.Started, got.Parts, got.Generator = want.ID, want.Started, nil, want.Generator
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a)) })
	text := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".HDR" }, cmp.Ignore())
	if diff := cmp.Diff(want, got, near, text); diff != "" {
		t.Errorf("four parts merged (-one generator +merged):\n%s", diff)
	}
	h, err := got.Latency.Histogram()
	if err != nil || h.TotalCount() != got.Status["200"] {
		t.Errorf("the merged histogram holds %d values, %v; want %d", h.TotalCount(), err, got.Status["200"])
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

func TestWrongSharesOfTheSumFail(t *testing.T) {
	all := hits(3000)
	for i := range 30 {
		all[3*i].upstream = 1
	}
	got, err := Records(split(t, all, 2))
	if err != nil {
		t.Fatal(err)
	}
	if g := got.Groups[0]; g.Verdict != run.Fail || g.WorstDeviation != 30 || len(g.Reasons) == 0 {
		t.Errorf("30 requests went astray: verdict %s, deviation %v, reasons %q", g.Verdict, g.WorstDeviation, g.Reasons)
	}
}

// Every part finds in the servers' counts what concerns all of them, and the sum has it once.
func TestCausesThatAllPartsFind(t *testing.T) {
	parts := split(t, hits(400), 3)
	for _, r := range parts {
		c := &r.Reconciliation
		c.Attributed["gone"], c.Attributed["in_flight"] = 7, 2
		*c.Servers += 2 - 7
	}
	got, err := Records(parts)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Reconciliation
	if c.Attributed["gone"] != 7 || c.Attributed["in_flight"] != 2 || *c.Servers != 400+2-7 || c.Unexplained != 0 {
		t.Errorf("got %+v, servers %d; want 7 gone, 2 in flight, 395 servers", c, *c.Servers)
	}
}

// Behind a Service no log tells whose requests the servers counted, but all of them are those of all parts.
func TestServersWithoutLog(t *testing.T) {
	for _, tt := range []struct {
		wholes                []int64 // as each part read it
		lost, servers         int64
		inFlight, unexplained int64
	}{
		{[]int64{500, 500}, 0, 400, 0, 0},
		{[]int64{503, 503}, 5, 403, 3, 0},
		{[]int64{503, 503}, 0, 403, 0, 3},
		{[]int64{490, 490}, 5, 390, 0, 10},
		{[]int64{500, 501}, 0, -1, 0, 0},
	} {
		parts := split(t, hits(400), 2)
		for i, r := range parts {
			r.Reconciliation = run.Reconciliation{Client: r.Responses, Whole: &tt.wholes[i], Attributed: map[string]int64{"warmup": 50}}
		}
		parts[1].Requests += tt.lost
		got, err := Records(parts)
		if err != nil {
			t.Fatal(err)
		}
		c, servers := got.Reconciliation, int64(-1)
		if c.Servers != nil {
			servers = *c.Servers
		}
		if servers != tt.servers || c.Attributed["in_flight"] != tt.inFlight || c.Unexplained != tt.unexplained || (len(got.Warnings) > 0) != (tt.unexplained > 0) {
			t.Errorf("%v, %d lost: got servers %d, %+v, %q; want %+v", tt.wholes, tt.lost, servers, c, got.Warnings, tt)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(parts []*run.Record) []*run.Record
		want   string
	}{
		"no part":      {func(p []*run.Record) []*run.Record { p[1].Part = nil; return p }, "is not a part"},
		"missing":      {func(p []*run.Record) []*run.Record { return p[1:3] }, "of 4 parts some are missing: 1, 4"},
		"twice":        {func(p []*run.Record) []*run.Record { return append(p, p[2]) }, "part 2 of 4 is there twice"},
		"other load":   {func(p []*run.Record) []*run.Record { p[3].Scenario = "site"; return p }, "the scenario is mix and site"},
		"other rate":   {func(p []*run.Record) []*run.Record { p[2].RequestedRate = 100; return p }, "the rate of the whole is 200 and 400"},
		"other length": {func(p []*run.Record) []*run.Record { p[2].Duration += 2; return p }, "they lasted 2.0 s and 4.0 s"},
		"other cant":   {func(p []*run.Record) []*run.Record { p[2].Load.Cant = 5; return p }, "how it was sent is"},
		"other time":   {func(p []*run.Record) []*run.Record { p[1].Part.StartAt = start.Add(time.Hour); return p }, "the time at which they were to begin is"},
		"search":       {func(p []*run.Record) []*run.Record { p[0].Search = &run.Search{}; return p }, "search for the highest rate"},
		"no histogram": {func(p []*run.Record) []*run.Record { p[0].Latency.HDR = ""; return p }, "latency of the run: a part has no histogram"},
		"none":         {func([]*run.Record) []*run.Record { return nil }, "no parts"},
	} {
		if _, err := Records(c.change(split(t, hits(400), 4))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCommandOfTheWhole(t *testing.T) {
	got := strings.Join(command([]string{"loadgen", "-rate", "200", "-part", "2/4", "--start-at=15:00", "-target", ":80"}), " ")
	if want := "loadgen -rate 200 -target :80"; got != want {
		t.Errorf("command = %q, want %q", got, want)
	}
}
