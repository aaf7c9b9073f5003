package distribution

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

// troubles are the sentences that name what moved the shares: failed attempts, servers left out, other
// traffic, a configuration that names other servers.
func (in *Input) troubles(g *run.Group, conf *balancer.Group, e tally.Evidence) []string {
	var out []string
	for _, u := range g.Upstreams {
		if u.RetriedAway > 0 {
			out = append(out, fmt.Sprintf("%s refused or failed %s, which went to other servers.", u.Addr, units.Count(u.RetriedAway, "attempt")))
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(e.FailedBefore)) {
		out = append(out, failedBefore(addr, e.FailedBefore[addr], server(conf, addr)))
	}
	if conf.Method == balancer.RoundRobin {
		out = append(out, in.leftOut(g, conf, e)...)
	}
	if e.NoLive > 0 {
		out = append(out, fmt.Sprintf("nginx answered %s itself, as no server of the group was live.", units.Count(e.NoLive, "request")))
	}
	if e.Lost > 0 && g.Verdict == run.Fail {
		out = append(out, fmt.Sprintf("%s got no answer, so which servers failed them is not known.", units.Count(e.Lost, "request")))
	}
	out = append(out, in.strangers(g, conf)...)
	return append(out, in.foreign(g.Name)...)
}

func server(conf *balancer.Group, addr string) *balancer.Server {
	for i := range conf.Servers {
		if conf.Servers[i].Addr == addr {
			return &conf.Servers[i]
		}
	}
	return nil
}

func failedBefore(addr string, n int64, s *balancer.Server) string {
	text := fmt.Sprintf("%s refused or failed %s during the warm-up", addr, units.Count(n, "attempt"))
	if s != nil && s.MaxFails > 0 {
		return fmt.Sprintf("%s, and nginx leaves it out for %g s after %s (max_fails, fail_timeout).",
			text, s.FailTimeout, units.Count(int64(s.MaxFails), "failure"))
	}
	return text + "."
}

// leftOut names servers that nginx passed over or held back for failures that no request of the run met.
func (in *Input) leftOut(g *run.Group, conf *balancer.Group, e tally.Evidence) []string {
	var out []string
	for _, u := range g.Upstreams {
		s := server(conf, u.Addr)
		if s == nil || s.MaxFails == 0 || e.FailedBefore[u.Addr]+u.RetriedAway > 0 {
			continue
		}
		after, seen := e.SeenAfter[u.Addr]
		if !seen {
			after = e.Hits
		}
		due := u.ExpectedShare * float64(after)
		enough := g.Bound + 1 // to be worth a note
		if g.Verdict == run.Fail {
			enough = 0.5
		}
		missing := u.ExpectedShare*float64(g.Requests) - float64(u.Requests)
		switch {
		case due > enough:
			out = append(out, fmt.Sprintf("%s got none of the first %s, although %.1f of them were due to it: after %s nginx leaves a server out for %g s (max_fails, fail_timeout), so it failed before the run.",
				u.Addr, units.Count(after, "request"), due, units.Count(int64(s.MaxFails), "failure"), s.FailTimeout))
		case missing > g.Bound && missing <= g.Bound+float64(s.Weight):
			out = append(out, fmt.Sprintf("%s may have failed shortly before the run: nginx lowers the weight of a server that failed, and raises it again by one with each request (max_fails=%d).",
				u.Addr, s.MaxFails))
		case missing > g.Bound && !conf.Zone && in.Nginx.Workers > 1 && in.Warmup < s.FailTimeout:
			out = append(out, fmt.Sprintf("%s may have failed before the run, so that some of nginx's %d worker processes, which know nothing of each other without a zone, left it out; a warm-up of more than %g s (fail_timeout) would exclude that.",
				u.Addr, in.Nginx.Workers, s.FailTimeout))
		}
	}
	return out
}

// strangers names servers that answered although the configuration does not give them a share.
func (in *Input) strangers(g *run.Group, conf *balancer.Group) []string {
	var out []string
	for _, u := range g.Upstreams {
		if u.Requests == 0 {
			continue
		}
		switch s := server(conf, u.Addr); {
		case s == nil:
			out = append(out, fmt.Sprintf("%s answered %s, but %s does not name it: nginx runs another configuration.",
				u.Addr, units.Count(u.Requests, "request"), in.Nginx.File))
		case s.Down:
			out = append(out, fmt.Sprintf("%s answered %s, but is marked down in %s: nginx runs another configuration.",
				u.Addr, units.Count(u.Requests, "request"), in.Nginx.File))
		case s.Backup:
			out = append(out, fmt.Sprintf("%s, a backup, answered %s: the other servers were not available.", u.Addr, units.Count(u.Requests, "request")))
		}
	}
	return out
}

// foreign names the traffic of others in the group.
func (in *Input) foreign(group string) []string {
	f := in.Foreign[group]
	var n int64
	for _, v := range f.ByAddr {
		n += v
	}
	var out []string
	if n > 0 {
		out = append(out, fmt.Sprintf("Foreign traffic: %s of others came through the group meanwhile, and %s counted in.",
			units.Count(n, "request"), isAre(n)))
	}
	if f.Failed > 0 {
		out = append(out, fmt.Sprintf("Foreign traffic: %s of others failed and went to other servers.", units.Count(f.Failed, "attempt")))
	}
	return out
}

func isAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// unexplained is the reason where nothing that was seen explains the shares.
func (in *Input) unexplained(g *run.Group) string {
	text := []string{"No failed attempt was seen"}
	if in.LogRead {
		text = append(text, " and no foreign traffic")
	}
	text = append(text, ": nginx may run another configuration than ", in.Nginx.File)
	if g.WorstDeviation <= 3*g.Bound && g.Method == string(balancer.RoundRobin) {
		text = append(text, ", or have been reloaded meanwhile, which begins its round robin anew")
	}
	if !in.LogRead {
		text = append(text, ", or serve others too, which its access log would show if it could be read")
	}
	return strings.Join(append(text, "."), "")
}
