package distribution

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"
	"gonum.org/v1/gonum/stat/distuv"

	"balanceo/loadgen/tally"
	"balanceo/results/judge"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

const (
	// alpha is the probability that a sound random or hash group fails.
	alpha = 0.001
	// leastExpected is how many draws each server must be due for the distribution of G to be that of
	// chi-squared, by the usual rule.
	leastExpected = 5
	// ringPoints is how many points of the ring a server has for each unit of its weight, in
	// ngx_http_upstream_init_chash().
	ringPoints = 160
)

func random(g *run.Group) {
	counts := make([]int64, len(g.Upstreams))
	for i, u := range g.Upstreams {
		counts[i] = u.Requests
	}
	gTest(g, counts, 1, "requests")
}

// gTest judges draws of upstreams by their expected shares. Inflation is how much greater than multinomial
// the variance may be. What names the draws.
func gTest(g *run.Group, counts []int64, inflation float64, what string) {
	var draws int64
	due, least := 0, 1.0
	shares := make([]float64, len(counts))
	for i, u := range g.Upstreams {
		draws += counts[i]
		shares[i] = u.ExpectedShare
		if u.ExpectedShare > 0 {
			due++
			least = min(least, u.ExpectedShare)
		}
	}
	if due < 2 {
		g.Verdict = run.Info
		g.Reasons = append(g.Reasons, "One server gets everything, so there is nothing to share.")
		return
	}
	if need := int64(math.Ceil(leastExpected / least)); draws < need {
		g.Verdict = run.Info
		g.Reasons = append(g.Reasons, fmt.Sprintf("%s %s are too few to judge random shares: it takes %s.",
			humanize.Comma(draws), what, humanize.Comma(need)))
		return
	}
	chi := distuv.ChiSquared{K: float64(due - 1)}
	g.WorstDeviation = judge.G(counts, shares) / inflation
	g.Bound = chi.Quantile(1 - alpha)
	g.Verdict = run.Pass
	p := 0.0
	if math.IsInf(g.WorstDeviation, 0) {
		g.WorstDeviation = math.MaxFloat64 // JSON has no infinity
	} else {
		p = chi.Survival(g.WorstDeviation)
	}
	g.PValue = &p
	if g.WorstDeviation > g.Bound {
		g.Verdict = run.Fail
		g.Reasons = append(g.Reasons, fmt.Sprintf("Shares as uneven as these have a probability of %.2g if each draw is made by the weights.", p))
	}
}

func (in *Input) hash(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	counts, torn := in.keys(g, e)
	if torn != "" {
		noPromise(g, fmt.Sprintf("Requests of one URI (%s) went to different servers, so the key of the hash is not the URI, and how many keys there were is not known.", torn))
		return
	}
	var keys int64
	for _, n := range counts {
		keys += n
	}
	if keys <= 1 {
		noPromise(g, "A hash sends all requests of one key to one server, and there was one URI only.")
		return
	}
	consistent := len(conf.Args) > 1 && conf.Args[len(conf.Args)-1] == "consistent"
	inflation := 1.0
	for _, u := range g.Upstreams {
		if consistent && u.Weight > 0 {
			inflation = max(inflation, 1+float64(keys)*u.ExpectedShare/(ringPoints*float64(u.Weight)))
		}
	}
	gTest(g, counts, inflation, "different URIs")
	if g.Verdict == run.Info {
		g.WorstDeviation = worst(g, Foreign{})
	}
	each := make([]string, len(counts))
	for i, n := range counts {
		each[i] = humanize.Comma(n) + " at " + g.Upstreams[i].Addr
	}
	g.Notes = append(g.Notes, fmt.Sprintf("A hash places keys, not requests: %s were seen, %s.", units.Count(keys, "different URI"), strings.Join(each, ", ")))
}

// keys counts for each upstream the different URIs that went to it; torn is one that went to several although
// no attempt failed.
func (in *Input) keys(g *run.Group, e tally.Evidence) (counts []int64, torn string) {
	counts = make([]int64, len(g.Upstreams))
	best := map[string]int{} // URI → upstream with most of its requests
	most := map[string]int64{}
	failures := len(e.FailedBefore) > 0
	for i, u := range g.Upstreams {
		failures = failures || u.RetriedAway > 0
		byURI := map[string]int64{}
		for route, n := range e.ByRoute[u.Addr] {
			if n > 0 && route < len(in.URIs) {
				byURI[in.URIs[route]] += n
			}
		}
		for uri, n := range byURI {
			if most[uri] > 0 && (torn == "" || uri < torn) {
				torn = uri
			}
			if n > most[uri] {
				best[uri], most[uri] = i, n
			}
		}
	}
	if failures {
		torn = "" // retries move requests to another server; most of a key's requests tell whose it is
	}
	for _, i := range best {
		counts[i]++
	}
	return counts, torn
}
