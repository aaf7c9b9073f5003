package compare

import (
	"math"
	"slices"

	"balanceo/results/run"
)

// pair is two runs whose difference is one sample.
type pair struct{ base, other *run.Record }

// inPairs pairs the runs of one round of a campaign, and the rest with their neighbours in time: of
// A B, B A those are the first two and the last two. It returns them in the order of time, and true where each pair was
// over before the next began.
func inPairs(base, other []*run.Record) (pairs []pair, interleaved bool) {
	type round struct {
		label string
		round int
	}
	byRound := map[round]*run.Record{}
	for _, r := range base {
		if r.Round > 0 {
			byRound[round{r.Label, r.Round}] = r
		}
	}
	rest := slices.Clone(base)
	left := slices.DeleteFunc(slices.Clone(other), func(r *run.Record) bool {
		b := byRound[round{r.Label, r.Round}]
		if b == nil {
			return false
		}
		pairs = append(pairs, pair{b, r})
		delete(byRound, round{r.Label, r.Round})
		rest = slices.DeleteFunc(rest, func(r *run.Record) bool { return r == b })
		return true
	})
	pairs = append(pairs, neighbours(withoutRound(rest, other), withoutRound(left, base))...)
	slices.SortStableFunc(pairs, func(p, q pair) int { return inOrder(p.runs())[0].Started.Compare(inOrder(q.runs())[0].Started) })
	interleaved = len(pairs) > 1
	for k := range len(pairs) - 1 {
		interleaved = interleaved && !inOrder(pairs[k+1].runs())[0].Started.Before(inOrder(pairs[k].runs())[1].Started)
	}
	return pairs, interleaved
}

// withoutRound takes out the runs of a campaign that both sides are of: where one of a round can't be used, its other has
// no partner, and none of another round will do.
func withoutRound(runs, others []*run.Record) []*run.Record {
	return slices.DeleteFunc(slices.Clone(runs), func(r *run.Record) bool {
		return r.Round > 0 && slices.ContainsFunc(others, func(o *run.Record) bool { return o.Round > 0 && o.Label == r.Label })
	})
}

func (p pair) runs() []*run.Record { return []*run.Record{p.base, p.other} }

// neighbours pairs all runs of the smaller side so that the times between the two of each pair add up to the least.
func neighbours(base, other []*run.Record) []pair {
	if len(base) > len(other) {
		var pairs []pair
		for _, p := range neighbours(other, base) {
			pairs = append(pairs, pair{p.other, p.base})
		}
		return pairs
	}
	base, other = inOrder(base), inOrder(other)
	// cost[i][j] is the least for the first i of base and the first j of other. The best pairs never cross in time.
	cost := make([][]float64, len(base)+1)
	apart := func(i, j int) float64 { return base[i].Started.Sub(other[j].Started).Abs().Seconds() }
	for i := range cost {
		cost[i] = make([]float64, len(other)+1)
		for j := range cost[i] {
			switch {
			case i > j:
				cost[i][j] = math.Inf(1)
			case i > 0:
				cost[i][j] = min(cost[i][j-1], cost[i-1][j-1]+apart(i-1, j-1))
			}
		}
	}
	var pairs []pair
	for i, j := len(base), len(other); i > 0; j-- {
		if cost[i][j] < cost[i][j-1] {
			pairs = append(pairs, pair{base[i-1], other[j-1]})
			i--
		}
	}
	return pairs
}
