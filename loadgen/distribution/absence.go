package distribution

import (
	"time"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
)

// absence is a time in which a server got nothing although more was due to it than its turn explains.
type absence struct {
	addr     string
	from, to time.Duration // of its last answer before and its first one after; from 0: none before, to never: none after
	due      float64       // requests, by its share of what the group got meanwhile
	failed   int64         // attempts that failed there and were seen to
	first    time.Duration // when the first of these was sent
}

// patience is how many requests that are due to a server it may not get without being absent, beyond the bound of its
// balancer: what is sent at the same time has no order. Where there is no bound it is more.
const (
	patience      = 2
	unsaidBound   = 20
	chancePatient = 14 // a server gets none of so many by chance once in a million
)

// absences finds them from the timelines of a group's servers. Share is what is promised to a server at a time.
func absences(g *run.Group, e tally.Evidence, conf *balancer.Group, share func(addr string, t time.Duration) float64) []absence {
	if conf.Promise == nil || conf.Promise.Kind == balancer.ByKey {
		return nil
	}
	enough := unsaidBound + 0.0
	switch conf.Promise.Kind {
	case balancer.Exact:
		enough = conf.Promise.Within*float64(lines(conf)) + patience
	case balancer.Chance:
		enough = chancePatient
	default:
	}
	width, all := whole(e)
	var out []absence
	for _, u := range g.Upstreams {
		t := e.Timelines[u.Addr]
		if t == nil && u.Requests > 0 || u.Requests == 0 && conf.Promise.Kind == balancer.Nothing {
			continue // not known; one that has never got anything may be too slow or too far behind
		}
		if t == nil {
			t = &tally.Timeline{}
		}
		out = append(out, gaps(u.Addr, t, width, all, enough, share)...)
	}
	return out
}

// whole is what all servers of a group answered by time.
func whole(e tally.Evidence) (width time.Duration, all []uint32) {
	var sum tally.Steps
	for _, t := range e.Timelines {
		sum.Merge(&t.Sent)
	}
	return sum.Width, sum.N
}

// gaps are the absences of one server.
func gaps(addr string, t *tally.Timeline, width time.Duration, all []uint32, enough float64, share func(string, time.Duration) float64) []absence {
	own := make([]uint32, len(all))
	put(own, &t.Sent, width)
	failed := make([]uint32, len(all))
	put(failed, &t.Failed, width)
	var out []absence
	now := absence{addr: addr}
	end := func(to time.Duration) {
		now.to = to
		if now.due > enough {
			out = append(out, now)
		}
	}
	for i := range all {
		at := time.Duration(i) * width
		p := share(addr, at)
		if own[i] > 0 || p == 0 { // 0: it is out because somebody said so
			end(at)
			now = absence{addr: addr, from: at}
		} else {
			now.due += p * float64(all[i])
		}
		if failed[i] > 0 {
			if now.failed == 0 {
				now.first = at
			}
			now.failed += int64(failed[i])
		}
	}
	end(never)
	return out
}

// put counts steps of a finer or equal width into wider ones.
func put(into []uint32, s *tally.Steps, width time.Duration) {
	for i, n := range s.N {
		at := time.Duration(i) * s.Width
		if j := int(at / max(width, 1)); j < len(into) {
			into[j] += n
		}
	}
}
