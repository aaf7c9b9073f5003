package distribution

import (
	"fmt"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

// Bound is how many requests a peer can be off its share over any stretch of requests, by the smooth weighted
// round robin of nginx: H(n-1) for n peers, for each sequence of choices (see the package comment).
func Bound(peers, sequences int) float64 {
	var h float64
	for i := 1; i < peers; i++ {
		h += 1 / float64(i)
	}
	return h * float64(max(sequences, 1))
}

// tolerance covers the rounding of floating point, nothing else.
const tolerance = 1e-6

func (in *Input) roundRobin(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	peers := 0
	for _, s := range conf.Servers {
		if !s.Backup && !s.Down {
			peers++
		}
	}
	sequences := 1
	if !conf.Zone {
		sequences = in.Nginx.Workers
	}
	most := 0.0 // what one request can change a deviation by
	for _, u := range g.Upstreams {
		most = max(most, u.ExpectedShare, 1-u.ExpectedShare)
	}
	foreign := in.Foreign[g.Name]
	unknown := e.Lost + foreign.Border
	late, waiting := stragglers(g, e)
	within := Bound(peers, sequences)
	if conf.Promise != nil {
		within = conf.Promise.Within
	}
	g.Bound = within + late + most*float64(unknown)
	g.WorstDeviation = worst(g, foreign)
	g.Verdict = run.Pass
	if g.WorstDeviation > g.Bound+tolerance {
		g.Verdict = run.Fail
	}

	note := func(n int64, format string) {
		if n > 0 {
			g.Notes = append(g.Notes, fmt.Sprintf(format, units.Count(n, "request")))
		}
	}
	note(waiting, "The bound allows for %s of the warm-up that still waited for an answer when the measured part began.")
	note(e.Lost, "The bound allows for %s that got no answer, so that who worked on them is not known.")
	note(foreign.Border, "The bound allows for %s of others that began or ended with the measured part.")
	if sequences > 1 {
		g.Notes = append(g.Notes, fmt.Sprintf("Without a zone each of nginx's %d worker processes counts for itself, so the bound is %d times that of one.",
			sequences, sequences))
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
