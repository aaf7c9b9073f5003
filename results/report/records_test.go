package report

import (
	"time"

	"balanceo/results/run"
)

func ptr[T any](v T) *T { return &v }

func lat(ms float64) run.Latency {
	s := ms / 1e3
	return run.Latency{Min: s / 2, Mean: s * 1.1, P50: s, P90: 1.5 * s, P95: 1.8 * s, P99: 3 * s, P999: 6 * s, Max: 11 * s}
}

func upstream(addr, instance, mode string, weight int, due float64, n, of int64, ms float64, workers ...int64) run.Upstream {
	u := run.Upstream{
		Addr: addr, Instance: instance, Mode: mode, Weight: weight, ExpectedShare: due,
		Requests: n, Share: float64(n) / float64(of), SuccessRatio: 1, Latency: lat(ms),
	}
	for i, w := range workers {
		u.Workers = append(u.Workers, run.Worker{PID: 1000 + i, Requests: w})
	}
	return u
}

// good is the main job as it should go.
func good() *run.Record {
	return &run.Record{
		Schema: run.Schema, ID: "20261123-151403-7f3a9c", Started: time.Date(2026, 11, 23, 15, 14, 3, 0, time.UTC),
		Layout: "seed", Scenario: "mix", Target: "http://127.0.0.1:80", Pace: "constant",
		RequestedRate: 200, ActualRate: 199.998, Duration: 15, Warmup: 2,
		Requests: 3000, Responses: 3000, SuccessRatio: 1, Status: map[string]int64{"200": 2700, "302": 300},
		Latency: lat(0.9), ScheduleLag: run.Lag{P50: 0.00004, P99: 0.0002, Max: 0.002},
		Groups: []run.Group{
			{
				Name: "node_app", Method: "round_robin", Requests: 1500, Verdict: run.Pass, Bound: 1, WorstDeviation: 0,
				Upstreams: []run.Upstream{
					upstream("127.0.0.1:8080", "site1", "CLUSTER", 2, 2.0/3, 1000, 1500, 0.8, 512, 488),
					upstream("127.0.0.1:8081", "site2", "FORK", 1, 1.0/3, 500, 1500, 0.7, 500),
				},
			},
			{
				Name: "node_app_api", Method: "round_robin", Requests: 1500, Verdict: run.Pass, Bound: 1.8333, WorstDeviation: 1,
				Notes: []string{"The 2 workers behind 127.0.0.1:8084 shared its requests 98 to 2 %: nginx keeps connections open, and a connection stays with the worker that accepted it."},
				Upstreams: []run.Upstream{
					upstream("127.0.0.1:8082", "serverA", "FORK", 1, 0.25, 375, 1500, 1.1, 375),
					upstream("127.0.0.1:8083", "serverB", "FORK", 1, 0.25, 374, 1500, 1.2, 374),
					upstream("127.0.0.1:8084", "serverC", "CLUSTER", 1, 0.25, 376, 1500, 1.15, 368, 8),
					upstream("127.0.0.1:8085", "serverD", "CLUSTER", 1, 0.25, 375, 1500, 1.3, 190, 185),
				},
			},
		},
		Routes: []run.Route{
			{Method: "GET", Path: "/", Requests: 300, Throughput: 20, Latency: lat(0.6)},
			{Method: "GET", Path: "/api/randoms", Requests: 1500, Throughput: 100, Draws: ptr(100000.0), Latency: lat(1.1)},
			{Method: "GET", Path: "/checkAuth", Requests: 300, Throughput: 20, Latency: lat(0.6)},
			{Method: "GET", Path: "/info", Requests: 300, Throughput: 20, Latency: lat(0.6)},
			{Method: "GET", Path: "/login", Requests: 300, Throughput: 20, Latency: lat(0.6)},
			{Method: "GET", Path: "/signup", Requests: 300, Throughput: 20, Latency: lat(0.6)},
		},
		Reconciliation: run.Reconciliation{Client: 3000, Nginx: ptr(int64(3000)), Servers: ptr(int64(3000))},
		Generator:      run.Generator{CPU: 0.52, MaxRSS: 31 << 20, SendRatio: 1},
		Servers:        &run.Servers{CPU: 3.2, CPUPerRequest: 0.00107, NginxCPU: 0.4, RSS: 412 << 20},
		Env: run.Env{
			OS: "linux/amd64", CPU: "Example CPU @ 3.00GHz", Cores: 2, Go: "go1.26.0", Nginx: "1.22.1",
			Commit: "68b12d7aa5c5d1f4a2ab", Database: "embedded",
		},
	}
}

func records() map[string]*run.Record {
	stopped := good()
	stopped.Groups[1].Verdict = run.Fail
	stopped.Groups[1].WorstDeviation = 187
	stopped.Groups[1].Reasons = []string{"127.0.0.1:8083 refused or failed 187 attempts, which went to other servers."}
	stopped.Groups[1].Upstreams = []run.Upstream{
		upstream("127.0.0.1:8082", "serverA", "FORK", 1, 0.25, 437, 1500, 1.1, 437),
		upstream("127.0.0.1:8083", "serverB", "FORK", 1, 0.25, 188, 1500, 1.2, 188),
		upstream("127.0.0.1:8084", "serverC", "CLUSTER", 1, 0.25, 438, 1500, 1.15, 430, 8),
		upstream("127.0.0.1:8085", "serverD", "CLUSTER", 1, 0.25, 437, 1500, 1.3, 200, 237),
	}
	stopped.Groups[1].Upstreams[1].RetriedAway = 187
	stopped.Reconciliation = run.Reconciliation{
		Client: 3000, Nginx: ptr(int64(3012)), Servers: ptr(int64(3001)),
		Attributed: map[string]int64{"foreign": 12, "in_flight": 1}, Unexplained: 0,
	}

	behind := good()
	behind.RequestedRate, behind.ActualRate, behind.Generator.SendRatio = 50000, 31234.5, 0.62469
	behind.Pace = "ramp:1000:99000"
	behind.Partial, behind.Duration = true, 7.4
	behind.Warnings = []string{"The access log of nginx was cut off while the run lasted, so its lines can't be counted."}
	behind.Errors = []run.ErrorCount{{Class: "timeout", Count: 1200}, {Class: "connect_refused", Count: 1}}
	behind.Reconciliation = run.Reconciliation{Client: 3000, Servers: ptr(int64(2990)), Unexplained: 10}

	other := good()
	other.Layout, other.Label, other.Target = "", "weights 3:1:1", "http://127.0.0.1:9000"
	other.Groups = []run.Group{{
		Name: "backend", Method: "random", Requests: 3000, Verdict: run.Pass, Bound: 9.21, WorstDeviation: 2.3, PValue: ptr(0.317),
		Upstreams: []run.Upstream{
			upstream("127.0.0.1:9001", "", "", 3, 0.6, 1800, 3000, 0.4),
			upstream("127.0.0.1:9002", "", "", 1, 0.2, 610, 3000, 0.4),
			upstream("127.0.0.1:9003", "", "", 1, 0.2, 590, 3000, 0.4),
		},
	}}
	other.Routes = other.Routes[:1]
	other.Reconciliation = run.Reconciliation{Client: 3000}
	other.Servers, other.Env = nil, run.Env{OS: "linux/amd64", Cores: 2, Go: "go1.26.0"}

	unknown := good()
	unknown.Layout, unknown.Servers = "", nil
	unknown.Groups = []run.Group{{
		Name: "a_group_of_nginx_with_quite_a_long_name", Requests: 1, Verdict: run.Info,
		Reasons: []string{"No nginx.conf that names this group was found, so there are no shares to expect."},
		Upstreams: []run.Upstream{
			upstream("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:8080", "an-instance-with-a-long-name", "", 0, 0, 1, 1, 0.4),
			upstream("unix:/var/run/some/folder/with/a/long/name/application.sock", "", "", 0, 0, 0, 1, 0.4),
		},
	}}

	empty := &run.Record{Schema: run.Schema, ID: "20261123-151403-000000", Scenario: "mix", Target: "http://127.0.0.1:80", RequestedRate: 200}

	asserted := good()
	asserted.Asserts = []run.Assert{{Expr: "p99<50ms", Value: 0.0123, Passed: true}, {Expr: "errors<0.1%", Value: 0.5, Passed: false}}

	for i := range stopped.Groups {
		stopped.Groups[i].Notes = append(stopped.Groups[i].Notes, "Expected shares are from ./nginx.conf.")
	}

	acting := good()
	acting.Scenario, acting.Groups = "ws", acting.Groups[:1]
	acting.Session = &run.Session{Users: 50, Requests: 20000, Breaks: 1}
	acting.WS = &run.WS{
		Clients: 200, Sent: 600, Delivered: 120000,
		Upstreams: []run.WSUpstream{{Addr: "127.0.0.1:8080", Clients: 133, Latency: lat(4)}, {Addr: "127.0.0.1:8081", Clients: 67}},
	}
	acting.Search = &run.Search{
		SLO: "p99<20ms,errors<0.1%", MaxRate: 6400, Confirmed: true,
		Steps: []run.SearchStep{
			{Rate: 6400, ActualRate: 6399.9, P50: 0.001, P99: 0.012, Held: true},
			{Rate: 12800, ActualRate: 11020.4, P50: 0.4, P99: 1.9, ErrorRatio: 0.002, Reason: "p99 was 1.90 s, and the generator sent only 86 % of the rate"},
		},
	}
	delivered := good()
	delivered.Scenario, delivered.Groups = "ws", delivered.Groups[:1]
	delivered.RequestedRate, delivered.ActualRate = 20, 20
	delivered.WS = &run.WS{
		Clients: 1, Sent: 1, Delivered: 0, Lost: 1,
		Upstreams: []run.WSUpstream{{Addr: "127.0.0.1:8080", Clients: 1}},
	}
	return map[string]*run.Record{
		"good": good(), "stopped": stopped, "behind": behind, "other": other,
		"unknown": unknown, "empty": empty, "asserted": asserted, "acting": acting, "delivered": delivered,
	}
}
