package tally

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/results/run"
)

// mostSlow is how many of the slowest hits are kept by name.
const mostSlow = 20

// slowest are hits of the measured part, slowest first.
type slowest []slowHit

type slowHit struct {
	at, latency         time.Duration // due, from the end of the warm-up
	route               int
	upstream, name, pid string
	class               Class
}

// add keeps a hit if it is among the slowest.
func (s *slowest) add(h *Hit, warmup time.Duration) {
	latency := h.Done - h.Due
	if len(*s) == mostSlow && latency <= (*s)[mostSlow-1].latency {
		return
	}
	hit := slowHit{at: h.Due - warmup, latency: latency, route: h.Route, class: h.Err}
	if _, last := Tried(h.Tried); h.Tried != "" && !NoneLive(last, h.Group) {
		// The hit's strings may be views of larger ones.
		hit.upstream, hit.name, hit.pid = strings.Clone(last), strings.Clone(h.Name), strings.Clone(h.Worker)
	}
	s.insert(hit)
}

func (s *slowest) insert(hit slowHit) {
	at, _ := slices.BinarySearchFunc(*s, hit, func(a, b slowHit) int { return cmp.Compare(b.latency, a.latency) })
	*s = slices.Insert(*s, at, hit)
	if len(*s) > mostSlow {
		*s = (*s)[:mostSlow]
	}
}

func (s *slowest) merge(other slowest) {
	for _, hit := range other {
		s.insert(hit)
	}
}

func (s slowest) record(routes []Route) []run.Outlier {
	var out []run.Outlier
	for _, hit := range s {
		o := run.Outlier{T: hit.at.Seconds(), Latency: hit.latency.Seconds(), Upstream: hit.upstream, Instance: hit.name}
		if hit.route >= 0 && hit.route < len(routes) {
			o.Method, o.Path = routes[hit.route].Method, routes[hit.route].Path
		}
		if hit.class != NoError {
			o.Class = hit.class.String()
		}
		if pid, err := strconv.Atoi(hit.pid); err == nil && pid > 0 { // else it is not told
			o.PID = pid
		}
		out = append(out, o)
	}
	return out
}
