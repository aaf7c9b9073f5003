package distribution

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/layout"
)

// conf is a configuration with one group g of servers a:1, a:2, … of these weights.
func conf(method balancer.Method, weights ...int) *balancer.Config {
	g := balancer.Group{Name: "g", Method: method, Zone: true}
	for i, w := range weights {
		g.Servers = append(g.Servers, balancer.Server{Addr: "a:" + strconv.Itoa(i+1), Weight: w})
	}
	return promised(&balancer.Config{Balancer: "nginx", File: "nginx.conf", Workers: 2, Groups: []balancer.Group{g}})
}

// promised is the configuration with what nginx promises.
func promised(c *balancer.Config) *balancer.Config {
	_ = nginx.Nginx{}.Promise(context.Background(), nil, c) // it fails never
	return c
}

// got is what the servers of conf answered.
func got(requests ...int64) []run.Group {
	g := run.Group{Name: "g"}
	for i, n := range requests {
		g.Requests += n
		if n > 0 {
			g.Upstreams = append(g.Upstreams, run.Upstream{Addr: "a:" + strconv.Itoa(i+1), Requests: n})
		}
	}
	return []run.Group{g}
}

func TestExplain(t *testing.T) {
	down := conf(balancer.RoundRobin, 1, 1, 1)
	down.Groups[0].Servers[2].Down = true
	promised(down)
	backup := conf(balancer.RoundRobin, 1, 1, 1)
	backup.Groups[0].Servers[2].Backup = true
	promised(backup)
	noZone := conf(balancer.RoundRobin, 2, 1)
	noZone.Groups[0].Zone = false
	promised(noZone)
	retried := got(1000, 10)
	retried[0].Upstreams[1].RetriedAway = 1490
	explained := got(750, 250)
	explained[0].Upstreams[1].RetriedAway = 250
	limited := conf(balancer.RoundRobin, 1, 1)
	limited.Groups[0].Servers[0].MaxConns = 3
	twice := conf(balancer.RoundRobin, 1, 1, 1)
	twice.Groups[0].Servers[1].Addr = "a:1"
	promised(twice)
	auto := conf(balancer.RoundRobin, 1, 1)
	auto.Groups[0].Zone, auto.Auto = false, true
	promised(auto)
	two := conf(balancer.Random, 1, 1)
	two.Groups[0].Args = []string{"two"}
	promised(two)

	for _, c := range []struct {
		name    string
		groups  []run.Group
		in      Input
		verdict run.Verdict
		bound   float64
		worst   float64
		says    string // in a reason or a note
	}{
		{name: "exact", groups: got(1000, 500), in: Input{Balancer: conf(balancer.RoundRobin, 2, 1)}, verdict: run.Pass, bound: 1},
		{name: "one off", groups: got(1001, 500), in: Input{Balancer: conf(balancer.RoundRobin, 2, 1)}, verdict: run.Pass, bound: 1, worst: 1.0 / 3},
		{name: "two off", groups: got(1002, 498), in: Input{Balancer: conf(balancer.RoundRobin, 2, 1)}, verdict: run.Fail, bound: 1, worst: 2, says: "another configuration than nginx.conf"},
		{name: "two off, log read", groups: got(1002, 498), in: Input{Balancer: conf(balancer.RoundRobin, 2, 1), LogRead: true}, verdict: run.Fail, bound: 1, worst: 2, says: "no foreign traffic"},
		{name: "without a zone", groups: got(1002, 498), in: Input{Balancer: noZone}, verdict: run.Pass, bound: 2, worst: 2, says: "Without a zone"},
		{name: "biased", groups: got(750, 250), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1)}, verdict: run.Fail, bound: 1, worst: 250, says: "another configuration"},
		{name: "3:1:1", groups: got(1800, 600, 600), in: Input{Balancer: conf(balancer.RoundRobin, 3, 1, 1)}, verdict: run.Pass, bound: 1.5},
		{name: "a server down", groups: got(500, 500), in: Input{Balancer: down}, verdict: run.Pass, bound: 1},
		{name: "a down server answers", groups: got(500, 500, 500), in: Input{Balancer: down}, verdict: run.Fail, bound: 1, worst: 500, says: "a:3 answered 500 requests, but is marked down"},
		{name: "a backup answers", groups: got(500, 500, 9), in: Input{Balancer: backup}, verdict: run.Fail, bound: 1, worst: 9, says: "a:3, a backup, answered 9 requests"},
		{name: "unnamed server", groups: got(500, 500), in: Input{Balancer: conf(balancer.RoundRobin, 1)}, verdict: run.Fail, worst: 500, says: "a:2 answered 500 requests, but nginx.conf does not name it"},
		{name: "silent server", groups: got(500, 0), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1)}, verdict: run.Fail, bound: 1, worst: 250},
		{name: "retried", groups: retried, in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: map[string]tally.Evidence{"g": {Chains: map[string]int64{"a:2, a:1": 1490}}}}, verdict: run.Fail, bound: 2, worst: 995, says: "a:2 refused or failed 1,490 attempts, which went to other servers."},
		{name: "retries explain", groups: explained, in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: map[string]tally.Evidence{"g": {Chains: map[string]int64{"a:2, a:1": 250}}}}, verdict: run.Pass, bound: 2, says: "With the 250 failed attempts that went on to other servers the shares are as promised."},
		{name: "max_conns", groups: got(700, 300), in: Input{Balancer: limited}, verdict: run.Info, bound: 1, worst: 200, says: "a:1 has max_conns=3"},
		{name: "one server on two lines", groups: got(1001, 0, 499), in: Input{Balancer: twice}, verdict: run.Pass, bound: 3, worst: 1, says: "A server has 2 lines"},
		{name: "auto here", groups: got(700, 300), in: Input{Balancer: auto}, verdict: run.Fail, bound: 2, worst: 200},
		{name: "auto elsewhere", groups: got(700, 300), in: Input{Balancer: auto, Remote: true}, verdict: run.Info, bound: 2, worst: 200, says: "a machine of unknown size"},
		{name: "random two", groups: got(900, 100), in: Input{Balancer: two}, verdict: run.Info, worst: 400, says: "the less busy of two"},
		{name: "too few", groups: got(2, 1), in: Input{Balancer: conf(balancer.RoundRobin, 2, 1)}, verdict: run.Info, bound: 1, says: "3 requests are too few to tell"},
		{name: "sent again", groups: got(503, 500), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Resent: 1}, verdict: run.Pass, bound: 1.5, worst: 1.5, says: "1 request sent twice"},
		{
			name: "stragglers", groups: got(503, 500), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: map[string]tally.Evidence{"g": {Stragglers: map[string]int64{"a:1": 1, "a:2": 1}}}},
			verdict: run.Pass, bound: 1.5, worst: 1.5, says: "2 requests of the warm-up",
		},
		{
			name: "lost", groups: got(503, 500), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: map[string]tally.Evidence{"g": {Lost: 1}}},
			verdict: run.Pass, bound: 1.5, worst: 1.5, says: "1 request that got no answer",
		},
		{
			name: "foreign explains", groups: got(510, 490),
			in:      Input{Balancer: conf(balancer.RoundRobin, 1, 1), LogRead: true, Foreign: map[string]Foreign{"g": {ByAddr: map[string]int64{"a:1": 10, "a:2": 30}}}},
			verdict: run.Pass, bound: 1, says: "Foreign traffic: 40 requests of others",
		},
		{
			name: "foreign does not explain", groups: got(600, 400),
			in:      Input{Balancer: conf(balancer.RoundRobin, 1, 1), LogRead: true, Foreign: map[string]Foreign{"g": {ByAddr: map[string]int64{"a:1": 1}}}},
			verdict: run.Fail, bound: 1, worst: 100.5, says: "Foreign traffic: 1 request of others came through the group meanwhile, and is counted in.",
		},
		{
			name: "no live server", groups: got(700, 500), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: map[string]tally.Evidence{"g": {NoLive: 3}}},
			verdict: run.Fail, bound: 1, worst: 100, says: "nginx answered 3 requests itself",
		},
		{
			name: "no live server at all", groups: got(), in: Input{Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: map[string]tally.Evidence{"g": {NoLive: 30}}},
			verdict: run.Fail, says: "nginx answered 30 requests itself",
		},
		{name: "no request", groups: got(), in: Input{Balancer: conf(balancer.Random, 1, 1)}, verdict: run.Info, says: "No server of the group got a request"},
		{name: "no configuration", groups: got(1, 2), verdict: run.Info, says: "No configuration was read"},
		{name: "group not named", groups: []run.Group{{Name: "other"}}, in: Input{Balancer: conf(balancer.RoundRobin, 1)}, verdict: run.Info, says: "has no upstream of this name"},
		{name: "least_conn", groups: got(900, 100), in: Input{Balancer: conf(balancer.LeastConn, 1, 1)}, verdict: run.Info, worst: 400, says: "how fast the servers answer"},
		{name: "ip_hash", groups: got(1000, 0), in: Input{Balancer: conf(balancer.IPHash, 1, 1)}, verdict: run.Info, worst: 500, says: "one client"},
		{name: "random", groups: got(1010, 990), in: Input{Balancer: conf(balancer.Random, 1, 1)}, verdict: run.Pass, bound: 10.83, worst: 0.2},
		{name: "random, biased", groups: got(1500, 500), in: Input{Balancer: conf(balancer.Random, 1, 1)}, verdict: run.Fail, bound: 10.83, worst: 523.25, says: "probability of"},
		{name: "random, few", groups: got(3, 5), in: Input{Balancer: conf(balancer.Random, 1, 1)}, verdict: run.Info, says: "8 requests are too few to judge random shares: it takes 10."},
		{name: "one server", groups: got(1000), in: Input{Balancer: conf(balancer.RoundRobin, 1)}, verdict: run.Pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			Explain(c.groups, c.in)
			g := c.groups[0]
			if g.Verdict != c.verdict || math.Abs(g.Bound-c.bound) > 0.01 || math.Abs(g.WorstDeviation-c.worst) > 0.01 {
				t.Errorf("verdict %s, bound %.3f, worst %.3f; want %s, %.3f, %.3f (reasons %q)",
					g.Verdict, g.Bound, g.WorstDeviation, c.verdict, c.bound, c.worst, g.Reasons)
			}
			if said := strings.Join(append(g.Reasons, g.Notes...), "\n"); !strings.Contains(said, c.says) {
				t.Errorf("reasons and notes %q; want one with %q", said, c.says)
			}
			if g.Verdict == run.Pass && len(g.Reasons) > 0 || g.Verdict != run.Pass && len(g.Reasons) == 0 {
				t.Errorf("verdict %s with the reasons %q", g.Verdict, g.Reasons)
			}
		})
	}
}

func TestNames(t *testing.T) {
	n := conf(balancer.RoundRobin, 2, 1)
	n.Groups[0].Servers[0].Addr, n.Groups[0].Servers[1].Addr = "127.0.0.1:8081", "127.0.0.1:8080"
	groups := []run.Group{{Name: "g", Requests: 3, Upstreams: []run.Upstream{{Addr: "127.0.0.1:8081", Instance: "from the header", Requests: 3}}}}
	Explain(groups, Input{
		Balancer: n, Instances: []layout.Instance{{Name: "site1", Port: 8081, Mode: layout.Cluster}},
		Evidence: map[string]tally.Evidence{"g": {Names: map[string][]string{"127.0.0.1:8081": {"site1", "8081", "site2"}}}},
	})
	if notes := strings.Join(groups[0].Notes, " "); strings.Count(notes, "say they are") != 1 || !strings.Contains(notes, "127.0.0.1:8081 is site1 of the running layout, and there are answers from there that say they are site2's.") {
		t.Errorf("notes %q, want that site2 answers for site1", notes)
	}
	u := groups[0].Upstreams
	if len(u) != 2 || u[0].Addr != "127.0.0.1:8080" || u[0].Weight != 1 || u[0].Requests != 0 || u[0].Instance != "" {
		t.Errorf("upstreams %+v; want 127.0.0.1:8080 added in front, without a request", u)
	}
	if u[1].Instance != "site1" || u[1].Mode != "CLUSTER" || math.Abs(u[1].ExpectedShare-2.0/3) > 1e-9 {
		t.Errorf("upstream %+v; want site1, CLUSTER, two thirds", u[1])
	}
}

func TestWorkerNotes(t *testing.T) {
	pinned := run.Upstream{Addr: "a:1", Mode: "CLUSTER", Requests: 100, Workers: []run.Worker{{PID: 1, Requests: 98}, {PID: 2, Requests: 2}}}
	one := run.Upstream{Addr: "a:2", Mode: "CLUSTER", Requests: 100, Workers: []run.Worker{{PID: 3, Requests: 100}}}
	even := run.Upstream{Addr: "a:3", Mode: "CLUSTER", Requests: 100, Workers: []run.Worker{{PID: 4, Requests: 52}, {PID: 5, Requests: 48}}}
	fork := run.Upstream{Addr: "a:4", Mode: "FORK", Requests: 100, Workers: []run.Worker{{PID: 6, Requests: 100}}}
	restarted := run.Upstream{Addr: "a:5", Mode: "FORK", Requests: 100, Workers: []run.Worker{{PID: 7, Requests: 90}, {PID: 8, Requests: 10}}}
	keepalive := &balancer.Group{Keepalive: 64}
	for _, c := range []struct {
		upstreams []run.Upstream
		conf      *balancer.Group
		want      []string
	}{
		{[]run.Upstream{even, fork}, keepalive, nil},
		{[]run.Upstream{pinned, even}, keepalive, []string{"a:1 (98 % by one of 2)", "keepalive 64"}},
		{[]run.Upstream{restarted}, keepalive, []string{"a:5, which is one process, was answered for by 2 one after the other"}},
		{[]run.Upstream{one}, nil, []string{"a:2 (all by one)", "the kernel"}},
	} {
		notes := strings.Join((&Input{Balancer: &balancer.Config{Balancer: "nginx"}}).workerNotes(&run.Group{Upstreams: c.upstreams}, c.conf), "\n")
		if c.want == nil && notes != "" {
			t.Errorf("workerNotes = %q, want none", notes)
		}
		for _, want := range c.want {
			if !strings.Contains(notes, want) {
				t.Errorf("workerNotes = %q, want it to say %q", notes, want)
			}
		}
	}
}

// draws sends n requests to servers by their weights, as the method random does.
func draws(rng *rand.Rand, n int, weights []int) []int64 {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	out := make([]int64, len(weights))
	for range n {
		x, i := rng.IntN(sum), 0
		for x >= weights[i] {
			x -= weights[i]
			i++
		}
		out[i]++
	}
	return out
}

// Of sound random groups about one in a thousand fails; of biased ones hardly any passes.
func TestRandomErrorRates(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const cases = 4000
	falseAlarms, missed := 0, 0
	for range cases {
		groups := got(draws(rng, 1500, []int{3, 1, 1})...)
		Explain(groups, Input{Balancer: conf(balancer.Random, 3, 1, 1)})
		if groups[0].Verdict != run.Pass {
			falseAlarms++
		}
		groups = got(draws(rng, 1500, []int{2, 1, 1})...)
		Explain(groups, Input{Balancer: conf(balancer.Random, 3, 1, 1)})
		if groups[0].Verdict != run.Fail {
			missed++
		}
	}
	// 4 are to be expected; more than 13 have a probability of 1:10,000. The cases are the same each time.
	if falseAlarms < 1 || falseAlarms > 13 {
		t.Errorf("%d of %d sound groups failed, want about %g", falseAlarms, cases, alpha*cases)
	}
	if missed > cases/100 {
		t.Errorf("%d of %d groups that run 2:1:1 for 3:1:1 passed", missed, cases)
	}
}

// hashed is a run of requests for different URIs, each of which always goes to the server that place says.
func hashed(keys, perKey, servers int, place func(key int) int) ([]run.Group, Input) {
	e := tally.Evidence{ByRoute: map[string][]int64{}}
	counts := make([]int64, servers)
	var uris []string
	for s := range servers {
		e.ByRoute["a:"+strconv.Itoa(s+1)] = make([]int64, keys)
	}
	for k := range keys {
		uris = append(uris, "/"+strconv.Itoa(k))
		s := place(k)
		counts[s] += int64(perKey)
		e.ByRoute["a:"+strconv.Itoa(s+1)][k] = int64(perKey)
	}
	return got(counts...), Input{Evidence: map[string]tally.Evidence{"g": e}, URIs: uris}
}

func TestHash(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	fair := func(int) int { return rng.IntN(2) }
	biased := func(int) int { return min(rng.IntN(4), 1) } // 1:3
	for _, c := range []struct {
		name  string
		keys  int
		place func(int) int
		want  run.Verdict
		says  string
	}{
		{"many keys", 1000, fair, run.Pass, ""},
		{"many keys, biased", 1000, biased, run.Fail, "probability"},
		{"few keys", 6, fair, run.Info, "6 different URIs are too few"},
		{"one key", 1, fair, run.Info, "one URI only"},
	} {
		groups, in := hashed(c.keys, 20, 2, c.place)
		in.Balancer = conf(balancer.Hash, 1, 1)
		Explain(groups, in)
		g := groups[0]
		if said := strings.Join(g.Reasons, "\n"); g.Verdict != c.want || !strings.Contains(said, c.says) {
			t.Errorf("%s: verdict %s, reasons %q; want %s with %q", c.name, g.Verdict, said, c.want, c.says)
		}
	}

	groups, in := hashed(100, 20, 2, fair)
	in.Balancer = conf(balancer.Hash, 1, 1)
	for _, byRoute := range in.Evidence["g"].ByRoute {
		byRoute[17] = 10
	}
	Explain(groups, in)
	if said := strings.Join(groups[0].Reasons, "\n"); groups[0].Verdict != run.Info || !strings.Contains(said, "(/17)") {
		t.Errorf("a URI at two servers: verdict %s, reasons %q; want info naming /17", groups[0].Verdict, said)
	}
}

// A plain hash of many keys is multinomial over keys; a consistent one has random arcs of its ring beside.
// Neither must fail more often than alpha says.
func TestHashErrorRates(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const cases, keys, servers = 1000, 300, 4
	failed := 0
	for range cases {
		// The ring: 160 points a server, so each owns the sum of 160 arcs of 640.
		arcs, total := make([]float64, servers), 0.0
		for i := range arcs {
			for range ringPoints {
				arcs[i] += rng.ExpFloat64()
			}
			total += arcs[i]
		}
		groups, in := hashed(keys, 5, servers, func(int) int {
			x, i := rng.Float64()*total, 0
			for i < servers-1 && x >= arcs[i] {
				x -= arcs[i]
				i++
			}
			return i
		})
		in.Balancer = conf(balancer.Hash, 1, 1, 1, 1)
		in.Balancer.Groups[0].Args = []string{"$request_uri", "consistent"}
		Explain(groups, in)
		if groups[0].Verdict != run.Pass {
			failed++
		}
	}
	if failed > 7 {
		t.Errorf("%d of %d sound consistent hashes failed, want at most about %g", failed, cases, alpha*cases)
	}
}
