package distribution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"balanceo/loadgen/tally"
	"balanceo/results/judge"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

// pinned tells whether the balancer shares connections and not requests: each of several connections with several
// requests stayed with one server.
func pinned(e tally.Evidence) bool {
	var conns, requests int64
	for _, c := range e.Connections {
		conns += c.Opened
		requests += c.Requests
	}
	return e.Wandered == 0 && conns > 1 && requests >= 4*conns
}

// byConnection judges the draws of connections: a server got as many requests as its connections carried.
func byConnection(g *run.Group, e tally.Evidence) {
	counts := make([]int64, len(g.Upstreams))
	shares := make([]float64, len(g.Upstreams))
	var total int64
	for i, u := range g.Upstreams {
		counts[i], shares[i] = e.Connections[u.Addr].Opened, u.ExpectedShare
		total += counts[i]
	}
	gTest(g, counts, 1, "connections")
	p := skewed(counts, shares)
	if g.Verdict == run.Info {
		g.WorstDeviation = worst(g, Foreign{})
		if p < alpha {
			g.Verdict = run.Fail
		}
	}
	g.PValue = &p
	even := "can't be even"
	if total%int64(len(counts)) == 0 {
		even = "need not be even"
	}
	g.Notes = append(g.Notes, fmt.Sprintf("Each connection stayed with one server, so connections are shared and not requests: %s over %d servers %s; %s of such draws are at least this skewed. -no-keepalive opens one for each request.",
		units.Count(total, "connection"), len(counts), even, part(p)))
}

// part is a probability for people.
func part(p float64) string {
	if p >= 0.995 {
		return "all"
	}
	return fmt.Sprintf("%.2g %%", 100*p)
}

// exactByConnection judges turns that are given to connections. Where a single server answered, connections stayed with
// it whatever is shared.
func exactByConnection(g *run.Group, conf *balancer.Group, e tally.Evidence) bool {
	var total int64
	servers, least := 0, 1.0
	for _, u := range g.Upstreams {
		total += e.Connections[u.Addr].Opened
		if u.Requests > 0 {
			servers++
		}
		if u.ExpectedShare > 0 {
			least = min(least, u.ExpectedShare)
		}
	}
	if !pinned(e) || servers < 2 {
		return false
	}
	var off []string
	g.Bound = conf.Promise.Within * float64(lines(conf))
	for _, u := range g.Upstreams {
		n := e.Connections[u.Addr].Opened
		g.WorstDeviation = max(g.WorstDeviation, math.Abs(float64(n)-u.ExpectedShare*float64(total)))
		off = append(off, strconv.FormatInt(n, 10))
	}
	switch {
	case g.WorstDeviation > g.Bound+tolerance:
		g.Verdict = run.Fail
	case least*float64(total) <= g.Bound:
		g.Verdict = run.Info
		g.Reasons = append(g.Reasons, fmt.Sprintf("%s %s too few to tell: a server that got none would still be within the bound of %.3g.",
			units.Count(total, "connection"), units.IsAre(total), g.Bound))
	default:
		g.Verdict = run.Pass
	}
	g.Notes = append(g.Notes, fmt.Sprintf("Each connection stayed with one server, so connections are shared and not requests, and are judged: %s of %s. "+
		"-no-keepalive opens one for each request.", strings.Join(off, ":"), units.Count(total, "connection")))
	return true
}

// skewed is how probable it is that draws by the shares are at least as uneven as counts, from simulated draws: there
// are too few of them for chi-squared.
func skewed(counts []int64, shares []float64) float64 {
	const times = 20000
	rng := rand.New(rand.NewPCG(1, 2))
	seen := judge.G(counts, shares)
	var total int64
	for _, n := range counts {
		total += n
	}
	atLeast := 0
	drawn := make([]int64, len(counts))
	for range times {
		clear(drawn)
		for range total {
			x, i := rng.Float64(), 0
			for i < len(shares)-1 && x >= shares[i] {
				x -= shares[i]
				i++
			}
			drawn[i]++
		}
		if judge.G(drawn, shares) >= seen-tolerance {
			atLeast++
		}
	}
	return float64(atLeast+1) / (times + 1)
}
