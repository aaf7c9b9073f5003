package distribution

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
)

// side is a part of a run in which the balancer had one configuration.
type side struct {
	from, to time.Duration // of the attack
	conf     *balancer.Group
	group    run.Group        // what its servers answered that was sent after from and answered before to
	border   map[string]int64 // by who answered: requests under way at from or at to
}

// never is later than any request.
const never = time.Duration(1<<63 - 1)

// sides are the parts into which changes of the balancer's configuration cut the measured part of a group. A balancer
// that reads its configuration anew begins its turns anew, whether the group has changed or not.
func (in *Input) sides(g *run.Group, e tally.Evidence) []side {
	if in.Balancer == nil {
		return nil
	}
	from, conf := in.Warmup, in.group(g.Name)
	var out []side
	for _, epoch := range in.Balancer.Epochs {
		next := epoch.Group(g.Name)
		began, done := epoch.Began.Sub(in.Began), epoch.Done.Sub(in.Began)
		switch {
		case epoch.Done.IsZero():
			continue // it has not begun
		case done <= in.Warmup:
			conf = next
			continue
		}
		if began > from {
			out = append(out, side{from: from, to: began, conf: conf})
		}
		from, conf = done, next
	}
	out = append(out, side{from: from, to: never, conf: conf})
	kept := out[:0]
	for _, s := range out {
		if s.conf != nil && s.count(g, e) {
			kept = append(kept, s)
		}
	}
	return kept
}

// count fills the side with what its servers answered; false: nothing.
func (s *side) count(g *run.Group, e tally.Evidence) bool {
	s.group = run.Group{Name: g.Name}
	s.border = map[string]int64{}
	for _, u := range g.Upstreams {
		t := cmp.Or(e.Timelines[u.Addr], &tally.Timeline{})
		begun := t.Sent.Until(s.from)
		n := t.Done.Until(s.to) - begun
		s.border[u.Addr] = begun - t.Done.Until(s.from)
		if s.to != never {
			s.border[u.Addr] += t.Sent.Until(s.to) - t.Done.Until(s.to)
		}
		n = max(n, 0)
		s.group.Requests += n
		s.group.Upstreams = append(s.group.Upstreams, run.Upstream{
			Addr: u.Addr, Requests: n, ExpectedShare: s.conf.Share(u.Addr),
			RetriedAway: t.Failed.Until(s.to) - t.Failed.Until(s.from),
		})
	}
	return s.group.Requests > 0
}

// failed is how many attempts failed and went on to other servers.
func (s *side) failed() (n int64) {
	for _, u := range s.group.Upstreams {
		n += u.RetriedAway
	}
	return n
}

// judgeSides judges each part of a run by the configuration that it had.
func (in *Input) judgeSides(g *run.Group, sides []side) {
	g.Verdict = run.Info
	var seen int64
	expected := make([]float64, len(g.Upstreams))
	ratio := -1.0
	failing := 0
	for i := range sides {
		if sides[i].failed() > 0 {
			failing++
		}
	}
	for i := range sides {
		s := &sides[i]
		var chains map[string]int64
		if failing == 1 && s.failed() > 0 { // when they went through several servers is not known, but here
			chains = in.Evidence[g.Name].Chains
		}
		in.judgeSide(s, chains)
		seen += s.group.Requests
		for j, u := range s.group.Upstreams {
			expected[j] += u.ExpectedShare * float64(s.group.Requests)
		}
		if s.group.Verdict == run.Fail || s.group.Verdict == run.Pass && g.Verdict != run.Fail {
			g.Verdict = s.group.Verdict
		}
		if r := s.group.WorstDeviation / max(s.group.Bound, tolerance); s.group.Verdict != run.Info && r > ratio {
			ratio, g.Bound, g.WorstDeviation = r, s.group.Bound, s.group.WorstDeviation
		}
		text := in.tell(s)
		if s.group.Verdict == run.Fail {
			g.Reasons = append(g.Reasons, text)
		} else {
			g.Notes = append(g.Notes, text)
		}
	}
	if g.Verdict == run.Info {
		g.Reasons = append(g.Reasons, "No part of the run could be judged by the configuration that it had.")
	}
	for j := range g.Upstreams {
		g.Upstreams[j].ExpectedShare = expected[j] / float64(seen)
	}
	if left := g.Requests - seen; left > 0 {
		g.Notes = append(g.Notes, fmt.Sprintf("%s under way while %s changed %s in no part.", units.Count(left, "request"), in.who(), units.IsAre(left)))
	}
}

// judgeSide judges one part. What is known of the whole run only, and may belong to any part, widens its bound.
func (in *Input) judgeSide(s *side, chains map[string]int64) {
	foreign := in.Foreign[s.group.Name]
	own := Input{Balancer: in.Balancer, Remote: in.Remote, Resent: in.Resent + foreign.total() + foreign.Border, URIs: in.URIs}
	e := tally.Evidence{Stragglers: s.border, Lost: in.Evidence[s.group.Name].Lost, Unsigned: in.Evidence[s.group.Name].Unsigned, Chains: chains}
	if s.conf.Promise != nil && s.conf.Promise.Kind == balancer.ByKey {
		noPromise(&s.group, s.conf.Promise.Because)
		return
	}
	own.promised(&s.group, s.conf, e)
}

// tell is a sentence about one part.
func (in *Input) tell(s *side) string {
	var b strings.Builder
	switch {
	case s.to == never:
		fmt.Fprintf(&b, "From %s on", in.at(s.from))
	case s.from <= in.Warmup:
		fmt.Fprintf(&b, "Until %s", in.at(s.to))
	default:
		fmt.Fprintf(&b, "From %s to %s", in.at(s.from), in.at(s.to))
	}
	weights := make([]string, 0, len(s.conf.Servers))
	for _, server := range s.conf.Servers {
		text := strconv.Itoa(server.Weight)
		if server.Down {
			text = "down"
		}
		weights = append(weights, text)
	}
	counts := make([]string, 0, len(s.conf.Servers))
	for _, server := range s.conf.Servers {
		for _, u := range s.group.Upstreams {
			if u.Addr == server.Addr {
				counts = append(counts, humanize.Comma(u.Requests))
			}
		}
	}
	fmt.Fprintf(&b, ", %s with the weights %s: %s of %s", s.conf.Method, strings.Join(weights, ":"), strings.Join(counts, ":"), units.Count(s.group.Requests, "request"))
	switch s.group.Verdict {
	case run.Info:
		b.WriteString(", not judged: " + strings.Join(s.group.Reasons, " "))
		return b.String()
	case run.Fail:
		b.WriteString(", not as promised")
	case run.Pass:
		b.WriteString(", as promised")
	}
	if s.conf.Promise.Kind == balancer.Exact {
		fmt.Fprintf(&b, " (off by %.2f, bound %.2f)", s.group.WorstDeviation, s.group.Bound)
	}
	return b.String() + "."
}
