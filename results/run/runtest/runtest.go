// Package runtest makes run records for tests: plausible in every part, and the same for the same Spec.
package runtest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"balanceo/results/run"
)

// Spec says what the record should look like. The zero value of each field is a usable default.
type Spec struct {
	Seed     uint64        // what makes this run differ from another of the same kind
	Started  time.Time     // default: 2026-11-23 15:00 UTC
	Layout   string        // default: seed
	Label    string        //
	Scenario string        // default: mix
	Rate     float64       // requests per second; default: 200
	Duration time.Duration // default: 15 s
	Median   time.Duration // typical latency; default: 800 µs
	Slower   float64       // what latency and CPU are multiplied with; default: 1
	Noise    float64       // relative standard deviation from run to run; default: 0.04
	Errors   int64         // answers 502
	Dies     bool          // serverB is away in the middle third of the run
	Capacity float64       // not 0: the record is of a search for the highest rate, and this is what it found
}

func (s *Spec) defaults() {
	s.Started = cmp.Or(s.Started, time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC))
	s.Layout = cmp.Or(s.Layout, "seed")
	s.Scenario = cmp.Or(s.Scenario, "mix")
	s.Rate = cmp.Or(s.Rate, 200)
	s.Duration = cmp.Or(s.Duration, 15*time.Second)
	s.Median = cmp.Or(s.Median, 800*time.Microsecond)
	s.Slower = cmp.Or(s.Slower, 1)
	s.Noise = cmp.Or(s.Noise, 0.04)
}

type maker struct {
	Spec
	rng *rand.Rand
}

// Record makes the record that spec describes.
func Record(spec Spec) *run.Record {
	spec.defaults()
	m := maker{spec, rand.New(rand.NewPCG(spec.Seed, uint64(spec.Started.UnixNano())))}
	requests := int64(m.Rate * m.Duration.Seconds())
	r := &run.Record{
		Schema:  run.Schema,
		ID:      fmt.Sprintf("%s-%06x", m.Started.UTC().Format("20060102-150405"), m.rng.Uint32N(1<<24)),
		Started: m.Started, Layout: m.Layout, Label: m.Label, Scenario: m.Scenario,
		Target: "http://127.0.0.1:80", Pace: "constant",
		RequestedRate: m.Rate, ActualRate: m.Rate * 0.9997, Duration: m.Duration.Seconds(), Warmup: 2,
		Requests: requests, Responses: requests, SuccessRatio: 1 - float64(m.Errors)/float64(requests),
		Status:      map[string]int64{"200": requests - m.Errors},
		ScheduleLag: run.Lag{P50: 0.00002, P99: 0.0004, Max: 0.002},
		Generator:   run.Generator{CPU: 30e-6 * float64(requests), MaxRSS: 48 << 20, SendRatio: 0.9998},
		Env: run.Env{
			OS: "linux 6.1 amd64", CPU: "Example CPU @ 2.4 GHz", Cores: 2, Go: "go1.26.0", Nginx: "1.22.1",
			Commit: "0123abc", Database: "embedded",
		},
		Command: []string{"loadgen", "-rate", fmt.Sprint(m.Rate), "-target", ":80", "-scenario", m.Scenario, "-duration", m.Duration.String()},
	}
	if m.Errors > 0 {
		r.Status["502"] = m.Errors
		r.Errors = []run.ErrorCount{{Class: "http_5xx", Count: m.Errors}}
	}
	// Latency and CPU go together: a run on a busy machine is slow in both.
	luck := m.vary(1)
	median := m.Median.Seconds() * m.Slower * luck
	hist := m.latencies(median, requests)
	r.Latency = summarize(hist)
	r.Groups = m.groups(requests, median)
	r.Routes = m.routes(requests, median)
	r.Reconciliation = reconciliation(requests)
	r.Servers = &run.Servers{
		CPU: 60e-6 * m.Slower * luck * float64(requests), CPUPerRequest: m.vary(60e-6 * m.Slower * luck),
		NginxCPU: 20e-6 * float64(requests), RSS: int64(m.vary(240 << 20)),
	}
	r.Series = m.series(median)
	if m.Dies {
		r.Events = []run.Event{
			{T: m.Duration.Seconds() / 3, Addr: "127.0.0.1:8083", Text: "refused connections"},
			{T: m.Duration.Seconds() * 2 / 3, Addr: "127.0.0.1:8083", Text: "answers again"},
		}
		g := &r.Groups[1]
		g.Verdict, g.Reasons = run.Fail, []string{"127.0.0.1:8083 refused connections at 5.00 s and answered again at 10.0 s."}
	}
	if m.Capacity > 0 {
		m.search(r)
	}
	return r
}

func (m *maker) vary(v float64) float64 { return v * math.Exp(m.Noise*m.rng.NormFloat64()) }

// latencies draws from a lognormal body with a slow twentieth, which is what a server's latency looks like. A
// draw stands for several requests, so that tests don't spend their time here.
func (m *maker) latencies(median float64, n int64) *hdrhistogram.Histogram {
	const most = 1000
	h := hdrhistogram.New(1, 60_000_000, 2)
	for left := n; left > 0; left -= max(1, n/most) {
		v := median * math.Exp(0.25*m.rng.NormFloat64())
		if m.rng.Float64() < 0.05 {
			v *= 2 + 3*m.rng.ExpFloat64()
		}
		_ = h.RecordValues(max(1, int64(v*1e6)), min(left, max(1, n/most)))
	}
	return h
}

// summarize gives the figures of a histogram, and itself.
func summarize(h *hdrhistogram.Histogram) run.Latency {
	l, err := run.Summarize(h, true)
	if err != nil {
		panic(err) // only for a cookie that the library does not know
	}
	return l
}

func figures(l run.Latency) run.Latency {
	l.HDR = ""
	return l
}

func (m *maker) groups(requests int64, median float64) []run.Group {
	modes := map[string][]string{
		"seed":    {"CLUSTER", "FORK", "FORK", "FORK", "CLUSTER", "CLUSTER"},
		"cluster": {"CLUSTER", "CLUSTER", "CLUSTER", "CLUSTER", "CLUSTER", "CLUSTER"},
	}[m.Layout]
	if modes == nil {
		modes = []string{"FORK", "FORK", "FORK", "FORK", "FORK", "FORK"}
	}
	names := []string{"site1", "site2", "serverA", "serverB", "serverC", "serverD"}
	group := func(name string, first int, weights ...int) run.Group {
		g := run.Group{Name: name, Method: "round_robin", Requests: requests / 2, Verdict: run.Pass, Bound: 2}
		total := 0
		for _, w := range weights {
			total += w
		}
		for i, w := range weights {
			n := g.Requests * int64(w) / int64(total)
			u := run.Upstream{
				Addr: fmt.Sprintf("127.0.0.1:%d", 8080+first+i), Instance: names[first+i], Mode: modes[first+i], Weight: w,
				ExpectedShare: float64(w) / float64(total), Requests: n, Share: float64(n) / float64(g.Requests), SuccessRatio: 1,
				Latency: figures(summarize(m.latencies(median, min(n, 300)))),
			}
			u.Workers = m.workers(first+i, n, modes[first+i])
			g.Upstreams = append(g.Upstreams, u)
		}
		m.seconds(&g, median)
		return g
	}
	return []run.Group{group("node_app", 0, 2, 1), group("node_app_api", 2, 1, 1, 1, 1)}
}

func (m *maker) workers(instance int, n int64, mode string) []run.Worker {
	pid := 1000 + 10*instance
	if mode == "FORK" {
		return []run.Worker{{PID: pid, Requests: n}}
	}
	first := int64(float64(n) * (0.5 + 0.1*m.rng.Float64()))
	return []run.Worker{{PID: pid + 1, Requests: first}, {PID: pid + 2, Requests: n - first}}
}

func (m *maker) routes(requests int64, median float64) []run.Route {
	half := requests / 2
	route := func(path string, n int64) run.Route {
		return run.Route{
			Method: "GET", Path: path, Requests: n, Throughput: float64(n) / m.Duration.Seconds(),
			Latency: summarize(m.latencies(median, n)),
		}
	}
	randoms := route("/api/randoms", half)
	draws := randoms.Throughput * 1000
	randoms.Draws = &draws
	return []run.Route{randoms, route("/info", half/2), route("/login", requests-half-half/2)}
}

func reconciliation(requests int64) run.Reconciliation {
	nginx, servers := requests, requests
	return run.Reconciliation{Client: requests, Nginx: &nginx, Servers: &servers}
}

func (m *maker) series(median float64) []run.Point {
	points := make([]run.Point, 0, int(m.Duration.Seconds()))
	for i := range int(m.Duration.Seconds()) {
		points = append(points, run.Point{
			T: float64(i), Sent: int64(m.Rate + m.rng.Float64()*3 - 1.5), P50: m.vary(median), P99: m.vary(4 * median),
		})
	}
	return points
}

// seconds spreads the group's requests over time.
func (m *maker) seconds(g *run.Group, median float64) {
	for second := range int(m.Duration.Seconds()) {
		away := 0.0
		third := m.Duration.Seconds() / 3
		dead := func(i int) bool {
			return m.Dies && g.Upstreams[i].Instance == "serverB" && float64(second) >= third && float64(second) < 2*third
		}
		for i, u := range g.Upstreams {
			if dead(i) {
				away = u.ExpectedShare
			}
		}
		for i := range g.Upstreams {
			u := &g.Upstreams[i]
			s := run.Second{Requests: int64(m.Rate/2*u.ExpectedShare/(1-away) + m.rng.Float64()), P50: m.vary(median), P99: m.vary(4 * median)}
			if dead(i) {
				s = run.Second{Retries: 1}
			}
			u.Series = append(u.Series, s)
		}
	}
}

// search puts the search's outcome into r: doubling until it no longer holds, then halving the gap.
func (m *maker) search(r *run.Record) {
	capacity := m.vary(m.Capacity / m.Slower)
	s := &run.Search{SLO: "p99<50ms", Confirmed: true}
	try := func(rate float64) bool {
		use := rate / capacity
		step := run.SearchStep{
			Rate: rate, ActualRate: min(rate, capacity*1.02), Held: use <= 1,
			P50: 0.0008 / max(0.05, 1-use*0.9), P99: 0.003 / max(0.03, 1-use*0.93),
		}
		if !step.Held {
			step.Reason = "p99 is over 50 ms"
			step.P99 = 0.05 * use * use
		}
		s.Steps = append(s.Steps, step)
		return step.Held
	}
	low, high := 0.0, 500.0
	for try(high) {
		low, high = high, 2*high
	}
	for high-low > 0.05*high {
		if mid := (low + high) / 2; try(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	s.MaxRate = low
	r.Search, r.RequestedRate = s, 0
}
