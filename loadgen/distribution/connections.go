package distribution

import (
	"fmt"
	"math/rand/v2"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
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
	g.Notes = append(g.Notes, fmt.Sprintf("Each connection stayed with one server, so connections are shared and not requests: %s over %d servers can't be even; %.2g %% of such draws are at least this skewed. -no-keepalive opens one for each request.",
		units.Count(total, "connection"), len(counts), 100*p))
}

// skewed is how probable it is that draws by the shares are at least as uneven as counts, from simulated draws: there
// are too few of them for chi-squared.
func skewed(counts []int64, shares []float64) float64 {
	const times = 20000
	rng := rand.New(rand.NewPCG(1, 2))
	seen := G(counts, shares)
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
		if G(drawn, shares) >= seen-tolerance {
			atLeast++
		}
	}
	return float64(atLeast+1) / (times + 1)
}
