package distribution

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

// troubles are the sentences that name what moved the shares: failed attempts, servers left out, other
// traffic, a configuration that names other servers. A server that merely took over is not named.
func (in *Input) troubles(g *run.Group, conf *balancer.Group, e tally.Evidence, sides []side) []string {
	gone := absences(g, e, conf, func(addr string, t time.Duration) float64 { return shareAt(conf, sides, addr, t) })
	out := in.strangers(g, conf)
	if len(out) > 0 { // they are in the place of those that got nothing
		gone = slices.DeleteFunc(gone, func(a absence) bool { return a.from == 0 && a.to == never && a.failed == 0 })
	}
	for _, u := range g.Upstreams {
		if u.RetriedAway > 0 && !slices.ContainsFunc(gone, func(a absence) bool { return a.addr == u.Addr && a.failed > 0 }) {
			out = append(out, fmt.Sprintf("%s refused or failed %s, which went to other servers.", u.Addr, in.attempts(e.Timelines[u.Addr], u.RetriedAway)))
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(e.FailedBefore)) {
		if !slices.ContainsFunc(gone, func(a absence) bool { return a.addr == addr && a.failed > 0 }) {
			out = append(out, fmt.Sprintf("%s refused or failed %s during the warm-up%s.", addr, units.Count(e.FailedBefore[addr], "attempt"), in.leaves(server(conf, addr))))
		}
	}
	for _, a := range gone {
		out = append(out, in.absent(a, server(conf, a.addr)))
	}
	if g.Verdict == run.Fail && len(out) == 0 && isExact(conf) {
		out = append(out, in.weakened(g, conf)...)
	}
	if e.NoLive > 0 {
		out = append(out, fmt.Sprintf("%s answered %s itself, as no server of the group was live.", in.who(), units.Count(e.NoLive, "request")))
	}
	if e.Lost > 0 && g.Verdict == run.Fail {
		out = append(out, fmt.Sprintf("%s got no answer, so which servers failed them is not known.", units.Count(e.Lost, "request")))
	}
	return append(out, in.foreign(g.Name)...)
}

func isExact(conf *balancer.Group) bool {
	return conf.Promise != nil && conf.Promise.Kind == balancer.Exact
}

// shareAt is what was promised to a server at a time of the attack.
func shareAt(conf *balancer.Group, sides []side, addr string, t time.Duration) float64 {
	for _, s := range sides {
		if t < s.from && len(sides) > 1 && s.from > sides[0].from { // while the balancer changed: either
			return min(s.conf.Share(addr), conf.Share(addr))
		}
		if t < s.to {
			return s.conf.Share(addr)
		}
	}
	return conf.Share(addr)
}

// attempts is how many failed, with the time of the first.
func (in *Input) attempts(t *tally.Timeline, n int64) string {
	text := units.Count(n, "attempt")
	if t == nil {
		return text
	}
	first := slices.IndexFunc(t.Failed.N, func(n uint32) bool { return n > 0 })
	if first < 0 {
		return text
	}
	return text + ", the first at " + in.at(time.Duration(first)*t.Failed.Width)
}

// leaves says what the balancer does with a server that fails.
func (in *Input) leaves(s *balancer.Server) string {
	if s == nil || s.MaxFails == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s leaves it out for %g s after %s (max_fails, fail_timeout)", in.who(), s.FailTimeout, units.Count(int64(s.MaxFails), "failure"))
}

// absent is a sentence about a server that was left out.
func (in *Input) absent(a absence, s *balancer.Server) string {
	var b strings.Builder
	b.WriteString(a.addr)
	switch {
	case a.failed > 0 && s != nil && s.MaxFails == 0: // it is tried each time that it is its turn
		fmt.Fprintf(&b, " refused or failed %s, which went to other servers, from %s on", units.Count(a.failed, "attempt"), in.at(a.first))
	case a.failed > 0:
		fmt.Fprintf(&b, " refused or failed %s at %s; %s then left it out", units.Count(a.failed, "attempt"), in.at(a.first), in.who())
	case a.from == 0:
		b.WriteString(" had failed before the run: it was left out")
	default:
		fmt.Fprintf(&b, " got nothing from %s on: %s left it out", in.at(a.from), in.who())
	}
	switch {
	case a.to == never && a.from == 0:
		b.WriteString(" all the time")
	case a.to == never:
		b.WriteString(" to the end")
	default:
		b.WriteString(" until " + in.at(a.to))
	}
	b.WriteString(", " + units.Count(int64(a.due+0.5), "request") + " fewer")
	if a.failed == 0 {
		b.WriteString(in.leaves(s))
	}
	return b.String() + "."
}

func server(conf *balancer.Group, addr string) *balancer.Server {
	for i := range conf.Servers {
		if conf.Servers[i].Addr == addr {
			return &conf.Servers[i]
		}
	}
	return nil
}

// weakened names servers that a failure before the run may have left with less than their weight. Only the one that
// lacks most can be it.
func (in *Input) weakened(g *run.Group, conf *balancer.Group) []string {
	lacks := func(u run.Upstream) float64 { return u.ExpectedShare*float64(g.Requests) - float64(u.Requests) }
	u := slices.MaxFunc(g.Upstreams, func(a, b run.Upstream) int { return cmp.Compare(lacks(a), lacks(b)) })
	s := server(conf, u.Addr)
	if s == nil || s.MaxFails == 0 || lacks(u) <= 0 {
		return nil
	}
	switch {
	case lacks(u) <= g.Bound+float64(s.Weight):
		return []string{fmt.Sprintf("%s may have failed shortly before the run: %s lowers the weight of a server that failed, and raises it again by one with each request (max_fails=%d).",
			u.Addr, in.who(), s.MaxFails)}
	case !conf.Zone && in.Balancer.Workers > 1 && in.Warmup.Seconds() < s.FailTimeout:
		return []string{fmt.Sprintf("%s may have failed before the run, so that some of the %d worker processes of %s, which know nothing of each other without a zone, left it out; a warm-up of more than %g s (fail_timeout) would exclude that.",
			u.Addr, in.Balancer.Workers, in.who(), s.FailTimeout)}
	}
	return nil
}

// strangers names servers that answered although the configuration does not give them a share.
func (in *Input) strangers(g *run.Group, conf *balancer.Group) []string {
	var out []string
	for _, u := range g.Upstreams {
		if u.Requests == 0 || u.ExpectedShare > 0 {
			continue
		}
		switch s := server(conf, u.Addr); {
		case s == nil:
			out = append(out, fmt.Sprintf("%s answered %s, but %s does not name it: %s runs another configuration.",
				u.Addr, units.Count(u.Requests, "request"), in.Balancer.File, in.who()))
		case s.Down:
			out = append(out, fmt.Sprintf("%s answered %s, but is marked down in %s: %s runs another configuration.",
				u.Addr, units.Count(u.Requests, "request"), in.Balancer.File, in.who()))
		case s.Backup:
			out = append(out, fmt.Sprintf("%s, a backup, answered %s: the other servers were not available.", u.Addr, units.Count(u.Requests, "request")))
		}
	}
	return out
}

// foreign names the traffic of others in the group.
func (in *Input) foreign(group string) []string {
	f := in.Foreign[group]
	n := f.total()
	var out []string
	if n > 0 {
		out = append(out, fmt.Sprintf("Foreign traffic: %s of others came through the group meanwhile, and %s counted in.",
			units.Count(n, "request"), units.IsAre(n)))
	}
	if f.Failed > 0 {
		out = append(out, fmt.Sprintf("Foreign traffic: %s of others failed and went to other servers.", units.Count(f.Failed, "attempt")))
	}
	return out
}

// unexplained is the reason where nothing that was seen explains the shares.
func (in *Input) unexplained(g *run.Group, conf *balancer.Group) string {
	text := []string{"No failed attempt was seen"}
	if in.LogRead {
		text = append(text, " and no foreign traffic")
	}
	text = append(text, ": ", in.who(), " may run another configuration than ", in.Balancer.File)
	if g.WorstDeviation <= 3*g.Bound && isExact(conf) && len(in.Balancer.Epochs) == 0 {
		text = append(text, ", or have been reloaded meanwhile, which begins its turns anew")
	}
	if !in.LogRead {
		text = append(text, ", or serve others too, which its access log would show if it could be read")
	}
	return strings.Join(append(text, "."), "")
}
