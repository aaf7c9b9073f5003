package tally

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"balanceo/results/run"
)

const ms = time.Millisecond

func filled(t *testing.T, tally *Tally, routes []Route, measured time.Duration) *run.Record {
	t.Helper()
	var r run.Record
	if err := tally.Fill(&r, routes, measured); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestTried(t *testing.T) {
	for _, c := range []struct {
		list   string
		failed []string
		last   string
	}{
		{"127.0.0.1:8080", nil, "127.0.0.1:8080"},
		{"127.0.0.1:8080, 127.0.0.1:8081", []string{"127.0.0.1:8080"}, "127.0.0.1:8081"},
		{"a:1, b:2, c:3", []string{"a:1", "b:2"}, "c:3"},
		{"a:1, b:2 : c:3", []string{"a:1"}, "c:3"},
		{"a:1 : b:2, c:3", []string{"b:2"}, "c:3"},
		{"unix:/tmp/s.sock", nil, "unix:/tmp/s.sock"},
		{"node_app", nil, "node_app"},
	} {
		failed, last := Tried(c.list)
		if !slices.Equal(failed, c.failed) || last != c.last {
			t.Errorf("Tried(%q) = %q, %q; want %q, %q", c.list, failed, last, c.failed, c.last)
		}
	}
}

func TestNoneLive(t *testing.T) {
	for _, c := range []struct {
		addr, group string
		want        bool
	}{
		{"node_app", "node_app", true},
		{"127.0.0.1:8080", "node_app", false},
		{"127.0.0.1:8080", "127.0.0.1:8080", false}, // proxy_pass http://127.0.0.1:8080
		{"[::1]:8080", "[::1]:8080", false},
	} {
		if got := NoneLive(c.addr, c.group); got != c.want {
			t.Errorf("NoneLive(%q, %q) = %v, want %v", c.addr, c.group, got, c.want)
		}
	}
}

func TestFill(t *testing.T) {
	routes := []Route{{"GET", "/info"}, {"GET", "/api/randoms"}, {"GET", "/info"}}
	warmup := 2 * time.Second
	tally := New(Config{Warmup: warmup, Routes: len(routes)})
	hit := func(route int, due time.Duration, status int, class Class, group, tried, worker, name string) {
		h := Hit{
			Route: route, Due: due, Sent: due + ms, Done: due + 5*ms, Status: status, Err: class,
			Group: group, Tried: tried, Worker: worker, Name: name,
		}
		if route == 1 {
			h.Draws = 1000
		}
		tally.Add(&h)
	}
	hit(0, 0, 200, NoError, "app", "a:1", "10", "one")                // warm-up
	hit(0, warmup-4*ms, 200, NoError, "app", "b:1, a:1", "10", "one") // warm-up, still under way at its end
	hit(0, warmup, 200, NoError, "app", "a:1", "10", "one")           //
	hit(2, warmup+ms, 302, NoError, "app", "a:1", "11", "one")        // the same route in the record
	hit(0, warmup+2*ms, 200, NoError, "app", "b:1, a:1", "11", "one") // retried
	hit(0, warmup+3*ms, 502, HTTP5xx, "app", "a:1, b:1", "", "")      // retried, and in vain
	hit(0, warmup+4*ms, 502, HTTP5xx, "app", "app", "", "")           // nobody lives
	hit(1, warmup+1500*ms, 200, NoError, "api", "c:1", "20", "three") //
	hit(1, warmup+1600*ms, 0, Timeout, "", "", "", "")                // lost, in group api
	hit(1, warmup+1700*ms, 0, ConnectRefused, "", "", "", "")         // never reached a server
	hit(1, warmup+1800*ms, 503, HTTP5xx, "api", "c:1", "20", "three") // not a success, so it draws nothing
	hit(0, warmup+1900*ms, 400, HTTP4xx, "", "", "", "")              // nginx's own

	r := filled(t, tally, routes, 2*time.Second)
	if r.Requests != 10 || r.Responses != 8 || r.SuccessRatio != 0.4 {
		t.Errorf("Fill: requests %d, responses %d, success %v; want 10, 8, 0.4", r.Requests, r.Responses, r.SuccessRatio)
	}
	wantStatus := map[string]int64{"200": 3, "302": 1, "400": 1, "502": 2, "503": 1}
	if diff := cmp.Diff(wantStatus, r.Status); diff != "" {
		t.Errorf("Fill: status (-want +got)\n%s", diff)
	}
	wantErrors := []run.ErrorCount{{Class: "http_5xx", Count: 3}, {Class: "connect_refused", Count: 1}, {Class: "http_4xx", Count: 1}, {Class: "timeout", Count: 1}}
	if diff := cmp.Diff(wantErrors, r.Errors); diff != "" {
		t.Errorf("Fill: errors (-want +got)\n%s", diff)
	}

	type up struct {
		Group, Addr, Instance string
		Requests, RetriedAway int64
		Share, SuccessRatio   float64
		Workers               []run.Worker
	}
	var got []up
	for _, g := range r.Groups {
		for _, u := range g.Upstreams {
			got = append(got, up{g.Name, u.Addr, u.Instance, u.Requests, u.RetriedAway, u.Share, u.SuccessRatio, u.Workers})
		}
	}
	want := []up{
		{"api", "c:1", "three", 2, 0, 1, 0.5, []run.Worker{{PID: 20, Requests: 2}}},
		{"app", "a:1", "one", 3, 1, 0.75, 1, []run.Worker{{PID: 10, Requests: 1}, {PID: 11, Requests: 2}}},
		{"app", "b:1", "", 1, 1, 0.25, 0, []run.Worker{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Fill: upstreams (-want +got)\n%s", diff)
	}

	if len(r.Routes) != 2 || r.Routes[0].Path != "/api/randoms" || r.Routes[1].Path != "/info" || r.Routes[1].Requests != 6 {
		t.Fatalf("Fill: routes %+v; want /api/randoms and /info with 6 requests", r.Routes)
	}
	if d := r.Routes[0].Draws; d == nil || *d != 500 || r.Routes[1].Draws != nil {
		t.Errorf("Fill: draws %v and %v; want 500 a second and none", d, r.Routes[1].Draws)
	}
	if got := r.Routes[0].Throughput; got != 0.5 {
		t.Errorf("Fill: throughput of /api/randoms %v, want 0.5", got)
	}
	if p := r.Latency.P50; math.Abs(p-0.005) > 0.00001 || r.ScheduleLag.P99 < 0.000999 || r.ScheduleLag.P99 > 0.001001 {
		t.Errorf("Fill: p50 %v, lag %v; want 0.005 and 0.001", p, r.ScheduleLag.P99)
	}
	if len(r.Series) != 2 || r.Series[0].Sent != 5 || r.Series[0].Errors != 2 || r.Series[1].Sent != 5 || r.Series[1].T != 1 {
		t.Errorf("Fill: series %+v; want five hits in each of two seconds", r.Series)
	}

	wantEvidence := map[string]Evidence{
		"app": {
			Connections: map[string]Connections{}, Unsigned: 1, NoLive: 1, Stragglers: map[string]int64{"a:1": 1}, Names: map[string][]string{"a:1": {"one"}}, FailedBefore: map[string]int64{"b:1": 1}, ByRoute: map[string][]int64{"a:1": {2, 0, 1}, "b:1": {1, 0, 0}},
		},
		"api": {
			Connections: map[string]Connections{}, Lost: 1, Stragglers: map[string]int64{}, Names: map[string][]string{"c:1": {"three"}}, FailedBefore: map[string]int64{}, ByRoute: map[string][]int64{"c:1": {0, 2, 0}},
		},
	}
	if diff := cmp.Diff(wantEvidence, tally.Evidence(), cmpopts.IgnoreFields(Evidence{}, "Timelines", "Chains")); diff != "" {
		t.Errorf("Evidence (-want +got)\n%s", diff)
	}
	sums := tally.Counts()
	sums.IDs = nil // have a test of their own
	if want := (Counts{Requests: 10, Responses: 8, Lost: 1, Warmup: 2}); sums != want {
		t.Errorf("Counts = %+v, want %+v", sums, want)
	}
}

func randomHit(rng *rand.Rand) Hit {
	due := time.Duration(rng.Int64N(int64(20 * time.Second)))
	h := Hit{
		Route: rng.IntN(3), Due: due, Sent: due + time.Duration(rng.Int64N(int64(ms))),
		Done: due + time.Duration(math.Exp(rng.NormFloat64())*float64(ms)), Status: 200,
		Group: "g" + strconv.Itoa(rng.IntN(2)), Tried: "a:" + strconv.Itoa(rng.IntN(3)),
		Worker: strconv.Itoa(1 + rng.IntN(4)), Name: "n", Draws: 7,
	}
	switch rng.IntN(10) {
	case 0:
		h.Status, h.Err, h.Group, h.Tried = 0, Timeout, "", ""
	case 1:
		h.Tried = "a:9, " + h.Tried
	}
	return h
}

// Merging tallies must give what one tally of all hits gives.
func TestMerge(t *testing.T) {
	routes := []Route{{"GET", "/a"}, {"GET", "/b"}, {"GET", "/c"}}
	cfg := Config{Warmup: time.Second, Routes: 3}
	rng := rand.New(rand.NewPCG(1, 2))
	whole, parts := New(cfg), []*Tally{New(cfg), New(cfg), New(cfg)}
	for i := range 20000 {
		h := randomHit(rng)
		whole.Add(&h)
		parts[i%len(parts)].Add(&h)
	}
	merged := New(cfg)
	for _, p := range parts {
		merged.Merge(p)
	}
	if diff := cmp.Diff(filled(t, whole, routes, 19*time.Second), filled(t, merged, routes, 19*time.Second)); diff != "" {
		t.Errorf("merged tallies differ from one tally of all hits (-one +merged)\n%s", diff)
	}
	if diff := cmp.Diff(whole.Evidence(), merged.Evidence()); diff != "" {
		t.Errorf("Evidence (-one +merged)\n%s", diff)
	}
}

// Percentiles must be within the three digits that are promised.
func TestPercentiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	tally := New(Config{Routes: 1})
	var all []float64
	for range 50000 {
		d := time.Duration(math.Exp(2*rng.NormFloat64()) * float64(ms)).Round(time.Microsecond)
		all = append(all, d.Seconds())
		tally.Add(&Hit{Done: d, Status: 200})
	}
	slices.Sort(all)
	r := filled(t, tally, []Route{{"GET", "/"}}, time.Second)
	for _, c := range []struct {
		name string
		q    float64
		got  float64
	}{
		{"p50", 0.5, r.Latency.P50},
		{"p90", 0.9, r.Latency.P90},
		{"p95", 0.95, r.Latency.P95},
		{"p99", 0.99, r.Latency.P99},
		{"p999", 0.999, r.Latency.P999},
	} {
		want := all[int(math.Ceil(c.q*float64(len(all))))-1]
		if math.Abs(c.got-want) > 0.002*want {
			t.Errorf("%s = %v, want %v within 0.2 %%", c.name, c.got, want)
		}
	}
	hdr, err := hdrhistogram.Decode([]byte(r.Latency.HDR))
	if err != nil || hdr.TotalCount() != 50000 {
		t.Errorf("Decode of the record's histogram: %v, error %v; want 50000 values", hdr.TotalCount(), err)
	}
}

// Whatever a server sends as headers, memory is bounded and no hit goes missing.
func TestBounds(t *testing.T) {
	tally := New(Config{Routes: 1})
	const n = 3 * maxAnswers
	for i := range n {
		id := strconv.Itoa(i + 1)
		tally.Add(&Hit{Status: 200, Group: "g" + id, Tried: "a:" + id, Worker: id})
	}
	for i := range 2 * maxWorkers {
		tally.Add(&Hit{Status: 200, Group: "g1", Tried: "a:1", Worker: strconv.Itoa(i + 1)})
	}
	r := filled(t, tally, []Route{{"GET", "/"}}, time.Second)
	var requests int64
	for _, g := range r.Groups {
		requests += g.Requests
	}
	if requests != n+2*maxWorkers {
		t.Errorf("requests in groups %d; want %d", requests, n+2*maxWorkers)
	}
	if len(r.Groups) > maxAnswers+1 || len(tally.answers) > maxAnswers+1 {
		t.Errorf("%d groups, %d origins: more than the bounds", len(r.Groups), len(tally.answers))
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	tally := New(Config{Routes: 1})
	h := Hit{Done: ms, Status: 200, Group: "g", Tried: "a:1, b:1", Worker: "12", Name: "one", Err: HTTP5xx}
	var n time.Duration
	if got := testing.AllocsPerRun(1000, func() {
		n++
		h.Done = ms + n%10*time.Microsecond
		tally.Add(&h)
	}); got != 0 {
		t.Errorf("Add allocates %v times a hit, want 0", got)
	}
	var in Interner
	b := []byte("127.0.0.1:8080")
	if got := testing.AllocsPerRun(1000, func() { _ = in.String(b) }); got != 0 {
		t.Errorf("Interner.String allocates %v times a known value, want 0", got)
	}
}

// A long attack has fewer points, not more memory, and loses no hit.
func TestSeriesIsBounded(t *testing.T) {
	for _, length := range []int{10, maxPoints, maxPoints + 1, 5 * maxPoints} {
		t.Run(strconv.Itoa(length), func(t *testing.T) {
			a, b := New(Config{Routes: 1}), New(Config{Routes: 1})
			for i := range length {
				due := time.Duration(i) * time.Second
				a.Add(&Hit{Due: due, Done: due + ms, Status: 200})
			}
			b.Add(&Hit{Due: 9 * time.Second, Done: 10 * time.Second, Status: 500, Err: HTTP5xx})
			b.Merge(a)
			points := filled(t, b, []Route{{"GET", "/"}}, time.Second).Series
			var sent, errors int64
			for _, p := range points {
				sent += p.Sent
				errors += p.Errors
			}
			if len(points) > maxPoints || sent != int64(length)+1 || errors != 1 {
				t.Errorf("%d points with %d hits and %d errors; want at most %d, %d and 1",
					len(points), sent, errors, maxPoints, length+1)
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	tally := New(Config{Routes: 6})
	rng := rand.New(rand.NewPCG(5, 6))
	hits := make([]Hit, 1024)
	for i := range hits {
		hits[i] = randomHit(rng)
	}
	b.ReportAllocs()
	for i := range b.N {
		tally.Add(&hits[i%len(hits)])
	}
}
