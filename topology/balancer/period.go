package balancer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Repeated is the promise of a method that gives its servers turns in an order that repeats, from the order as Try
// saw it. ok tells whether it does repeat: the second half of the order has to hold a whole period twice.
func Repeated(g *Group, order []int, because string) (promise *Promise, period int, ok bool) {
	settled := order[len(order)/3:] // the first turns after a start may be others
	period = periodOf(settled)
	if period == 0 || 2*period > len(settled) {
		return nil, 0, false
	}
	return turns(g, settled[:period], order, because), period, true
}

// Cyclic is the promise of a method that goes through an order of servers, as indices into g's, over and over.
func Cyclic(g *Group, order []int, because string) *Promise {
	return turns(g, order, slices.Concat(order, order), because)
}

// turns is the promise of a period, with the bound that the stretches of seen keep.
func turns(g *Group, period, seen []int, because string) *Promise {
	counts := make([]int, len(g.Servers))
	for _, i := range period {
		counts[i]++
	}
	p := &Promise{Kind: Exact, Because: because, Shares: map[string]float64{}}
	for i, s := range g.Servers {
		p.Shares[s.Addr] = float64(counts[i]) / float64(len(period))
		p.Within = max(p.Within, spread(seen, i, p.Shares[s.Addr]))
	}
	p.Warning = drift(g, p.Shares)
	return p
}

// periodOf is the shortest period of an order, 0 if it has none that it shows at least once whole.
func periodOf(order []int) int {
	// The failure function of Knuth, Morris and Pratt: the longest beginning that is an end, too.
	border := make([]int, len(order)+1)
	for i, k := 1, 0; i < len(order); i++ {
		for k > 0 && order[i] != order[k] {
			k = border[k]
		}
		if order[i] == order[k] {
			k++
		}
		border[i+1] = k
	}
	if period := len(order) - border[len(order)]; period < len(order) {
		return period
	}
	return 0
}

// spread is how far the count of server i is off its share, over the worst stretch of an order: the deviation at the
// end of a stretch less that at its beginning, so the widest range of the deviations.
func spread(order []int, i int, share float64) float64 {
	var now, least, most float64
	for _, j := range order {
		now -= share
		if i == j {
			now++
		}
		least, most = min(least, now), max(most, now)
	}
	return most - least
}

// drift tells of a server that gets another share than its weight's for good: the one that lacks most.
func drift(g *Group, shares map[string]float64) string {
	const n = 1200
	worst, off := -1, 1.0 // less than one request is nothing to talk about
	for i, s := range g.Servers {
		if d := (g.byWeight(s.Addr) - shares[s.Addr]) * n; d >= off {
			worst, off = i, d
		}
	}
	if worst < 0 {
		return ""
	}
	weights := make([]string, len(g.Servers))
	for i, s := range g.Servers {
		weights[i] = strconv.Itoa(s.Weight)
	}
	s := g.Servers[worst]
	return fmt.Sprintf("Of 1,200 requests %s gets %.0f and not the %.0f of its weight, and always will: %s does this with the weights %s.",
		s.Addr, shares[s.Addr]*n, g.byWeight(s.Addr)*n, g.Method, strings.Join(weights, ":"))
}

// Smooth is the order in which smooth weighted round robin gives turns to the servers of a group over one period,
// as indices: as often as their weights say, spread as evenly as can be. Servers that are down or backup have none.
func Smooth(g *Group) []int {
	common, sum := g.WeightUnit(), 0
	for _, s := range g.Servers {
		if s.Active() {
			sum += s.Weight
		}
	}
	if sum == 0 {
		return nil
	}
	order := make([]int, 0, sum/common)
	now := make([]int, len(g.Servers))
	for range sum / common {
		best := -1
		for i, s := range g.Servers {
			if !s.Active() {
				continue
			}
			now[i] += s.Weight
			if best < 0 || now[i] > now[best] {
				best = i
			}
		}
		now[best] -= sum
		order = append(order, best)
	}
	return order
}

// WeightUnit is the greatest number of which the weights of all servers that get requests are multiples; 0: none does.
func (g Group) WeightUnit() (unit int) {
	for _, s := range g.Servers {
		if s.Active() {
			for rest := s.Weight; rest != 0; { // Euclid
				unit, rest = rest, unit%rest
			}
		}
	}
	return unit
}
