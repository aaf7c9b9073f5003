package distribution

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

// tolerance covers the rounding of floating point, nothing else.
const tolerance = 1e-6

// exact judges a group whose balancer keeps each server within a known number of requests of its share.
func (in *Input) exact(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	least, most := 1.0, 0.0 // least share; what one request can change a deviation by
	for _, u := range g.Upstreams {
		most = max(most, u.ExpectedShare, 1-u.ExpectedShare)
		if u.ExpectedShare > 0 {
			least = min(least, u.ExpectedShare)
		}
	}
	foreign := in.Foreign[g.Name]
	var failed int64
	for _, u := range g.Upstreams {
		failed += u.RetriedAway
	}
	late, waiting := stragglers(g, e)
	g.Bound = conf.Promise.Within*float64(lines(conf)) + late + most*float64(e.Lost+e.Unsigned+foreign.Border+foreign.Failed+in.Resent)
	switch {
	case failed > 0 && len(e.Chains) > 0:
		g.WorstDeviation = worstChoice(g, foreign, e.Chains)
		g.Bound *= 2 // a choice among fewer servers can be as far off as one among all
	case failed > 0:
		g.WorstDeviation = worst(g, foreign)
		g.Bound += float64(failed)
	default:
		g.WorstDeviation = worst(g, foreign)
	}
	total := float64(g.Requests + foreign.total())
	switch {
	case g.WorstDeviation > g.Bound+tolerance && in.unsure(conf) != "":
		g.Verdict = run.Info
		g.Reasons = append(g.Reasons, in.unsure(conf))
	case g.WorstDeviation > g.Bound+tolerance:
		g.Verdict = run.Fail
	case least*total <= g.Bound:
		g.Verdict = run.Info
		g.Reasons = append(g.Reasons, fmt.Sprintf("%s %s too few to tell: a server that got nothing would still be within the bound of %.3g.",
			units.Count(g.Requests, "request"), units.IsAre(g.Requests), g.Bound))
	default:
		g.Verdict = run.Pass
	}
	in.exactNotes(g, conf, e, waiting, failed)
}

// worstChoice is the largest deviation where attempts failed and went on: not of answers, but of choices. nginx chooses
// anew among the servers that a request has not tried yet: each of these gains its share p, and the chosen one loses
// 1 - P, where P is the share of those that were tried. That is the sum which smooth round robin bounds.
func worstChoice(g *run.Group, f Foreign, chains map[string]int64) float64 {
	share := map[string]float64{}
	off := map[string]float64{}
	first := float64(g.Requests + f.total())
	for _, u := range g.Upstreams {
		share[u.Addr] = u.ExpectedShare
		off[u.Addr] = float64(u.Requests+f.ByAddr[u.Addr]) - u.ExpectedShare*first
	}
	for text, n := range chains {
		tried := strings.Split(text, ", ")
		out := 0.0
		for i, addr := range tried {
			if last := i == len(tried)-1; last {
				off[addr] -= float64(n) // was counted as its answer
			}
			off[addr] += (1 - out) * float64(n)
			if i > 0 {
				for _, u := range g.Upstreams {
					if !slices.Contains(tried[:i], u.Addr) {
						off[u.Addr] -= u.ExpectedShare * float64(n)
					}
				}
			}
			out += share[addr]
		}
	}
	var most float64
	for _, d := range off {
		most = max(most, math.Abs(d))
	}
	return most
}

// unsure says what may move shares that are promised to the request, and can't be known.
func (in *Input) unsure(conf *balancer.Group) string {
	for _, s := range conf.Servers {
		if s.MaxConns > 0 {
			return fmt.Sprintf("%s has max_conns=%d, and %s passes a server over that has as many connections; how often that was is not known, so nothing is judged.",
				s.Addr, s.MaxConns, in.who())
		}
	}
	if in.Balancer.Auto && in.Remote && !conf.Zone {
		return "worker_processes is auto on a machine of unknown size, and without a zone each process counts for itself, so there is no bound to judge by."
	}
	return ""
}

// lines is how many server lines one address of a group has at most. Each of them is a peer with its own bound.
func lines(conf *balancer.Group) int {
	most, n := 1, map[string]int{}
	for _, s := range conf.Servers {
		if s.Active() {
			n[s.Addr]++
			most = max(most, n[s.Addr])
		}
	}
	return most
}

// exactNotes names what the bound allows for.
func (in *Input) exactNotes(g *run.Group, conf *balancer.Group, e tally.Evidence, waiting, failed int64) {
	note := func(n int64, format string) {
		if n > 0 {
			g.Notes = append(g.Notes, fmt.Sprintf(format, units.Count(n, "request")))
		}
	}
	note(waiting, "The bound allows for %s of the warm-up that still waited for an answer when the measured part began.")
	note(e.Lost, "The bound allows for %s that got no answer, so that who worked on them is not known.")
	note(e.Unsigned, "The bound allows for %s whose answers don't say who gave them.")
	note(in.Foreign[g.Name].Border, "The bound allows for %s of others that began or ended with the measured part.")
	note(in.Resent, "The bound allows for %s sent twice, as a connection turned out to be closed.")
	if failed > 0 && g.Verdict == run.Pass {
		g.Notes = append(g.Notes, fmt.Sprintf("With the %s that went on to other servers the shares are as promised.", units.Count(failed, "failed attempt")))
	}
	if n := lines(conf); n > 1 {
		g.Notes = append(g.Notes, fmt.Sprintf("A server has %d lines of its own, so the bound is %d times that of one.", n, n))
	}
	if !conf.Zone && in.Balancer.Workers > 1 {
		g.Notes = append(g.Notes, fmt.Sprintf("Without a zone each of the %d worker processes of %s counts for itself, so the bound is %d times that of one.",
			in.Balancer.Workers, in.who(), in.Balancer.Workers))
	}
}

// stragglers is what the requests of the warm-up that still waited when the measured part began can change a
// deviation by, and how many they were. Any part of them may have been placed after the first request of the
// measured part. Leaving out a of those that the peer answered and b of the others moves its deviation by
// b·p - a·(1-p).
func stragglers(g *run.Group, e tally.Evidence) (most float64, n int64) {
	for _, k := range e.Stragglers {
		n += k
	}
	for _, u := range g.Upstreams {
		own := e.Stragglers[u.Addr]
		most = max(most, float64(own)*(1-u.ExpectedShare), float64(n-own)*u.ExpectedShare)
	}
	return most, n
}
