package merge

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"balanceo/results/run"
)

// roundRobin and random are the methods whose promise can be held against the sums.
const (
	roundRobin = "round_robin"
	random     = "random"
)

// judge holds the sums of a group against what its method promises; the parts have the bound from the balancer's
// configuration. Where a part has none, the group stays info with the parts' reasons.
func judge(sum *run.Group, parts []run.Group) {
	known := sum.Requests > 0
	for _, u := range sum.Upstreams {
		known = known && u.Weight > 0
	}
	least := parts[0].Bound
	for _, g := range parts {
		least = min(least, g.Bound)
	}
	sum.Bound = least
	for _, g := range parts {
		known = known && g.Bound > 0 && g.Method == sum.Method
		sum.Bound += g.Bound - least // what a part lost is beside what the others did
		if sum.Reasons == nil && !known {
			sum.Reasons = g.Reasons
		}
	}
	if !known {
		sum.Bound = 0
		return
	}
	switch sum.Method {
	case roundRobin:
		roundRobinVerdict(sum)
	case random:
		randomVerdict(sum)
	default:
		sum.Bound = 0
	}
}

// roundRobinVerdict counts how far the worst upstream is from its share. Attempts that went on to another server moved as
// many requests.
func roundRobinVerdict(sum *run.Group) {
	worst, retried := 0, int64(0)
	apart := func(i int) float64 {
		u := sum.Upstreams[i]
		return float64(u.Requests) - u.ExpectedShare*float64(sum.Requests)
	}
	for i, u := range sum.Upstreams {
		retried += u.RetriedAway
		if math.Abs(apart(i)) > math.Abs(apart(worst)) {
			worst = i
		}
	}
	sum.WorstDeviation = math.Abs(apart(worst))
	sum.Bound += float64(retried)
	sum.Verdict, sum.Reasons = run.Pass, nil
	if sum.WorstDeviation > sum.Bound {
		sum.Verdict = run.Fail
		sum.Reasons = []string{fmt.Sprintf("%s got %+.1f requests against its share of the sum of all parts.", sum.Upstreams[worst].Addr, apart(worst))}
	}
}

// randomVerdict is the G-test of the sums: 2 Σ O ln(O/E) is distributed as chi-squared with k-1 degrees of freedom.
func randomVerdict(sum *run.Group) {
	g, servers := 0.0, 0
	for _, u := range sum.Upstreams {
		if u.ExpectedShare > 0 {
			servers++
		}
		if u.Requests > 0 {
			g += 2 * float64(u.Requests) * math.Log(float64(u.Requests)/(u.ExpectedShare*float64(sum.Requests)))
		}
	}
	p := distuv.ChiSquared{K: float64(max(servers-1, 1))}.Survival(g)
	sum.WorstDeviation, sum.PValue = g, &p
	sum.Verdict, sum.Reasons = run.Pass, nil
	if g > sum.Bound {
		sum.Verdict = run.Fail
		sum.Reasons = []string{fmt.Sprintf("Chance gives such shares of the sum of all parts with p = %.2g only.", p)}
	}
}
