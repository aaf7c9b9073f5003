package distribution

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// Input is what is known beside the counts.
type Input struct {
	Balancer  *balancer.Config          // as it was at the end of the run; nil: no configuration was found
	Instances []layout.Instance         // of the running layout; empty: not ours
	Evidence  map[string]tally.Evidence // by group
	Foreign   map[string]Foreign        // by group, from the balancer's access log
	LogRead   bool                      // whether the access log could be read, so that Foreign says something
	Remote    bool                      // the balancer is on another machine
	Resent    int64                     // requests that were sent a second time
	Restarted []Restart                 // by address, then time
	Began     time.Time                 // of the attack
	Warmup    time.Duration
	URIs      []string // of the routes, by their index in Evidence.ByRoute
}

// Foreign is what others sent through a group while the measured part lasted.
type Foreign struct {
	ByAddr map[string]int64 // requests, by the server that answered
	Failed int64            // attempts that failed and went on to another server
	Border int64            // requests at the borders of the measured part, which may lie inside or outside
}

func (f Foreign) total() (n int64) {
	for _, v := range f.ByAddr {
		n += v
	}
	return n
}

// Explain completes groups, which have the counts, with what the balancer's configuration and the layout say of them,
// with a verdict and with its reasons. Servers that got no request are added. The groups are changed in place.
func Explain(groups []run.Group, in Input) {
	for i := range groups {
		g := &groups[i]
		conf := in.group(g.Name)
		in.name(g, conf)
		e := in.Evidence[g.Name]
		if conf == nil {
			g.Verdict = run.Info
			g.Reasons = append(g.Reasons, noConf(in.Balancer))
		} else {
			in.judge(g, conf, e)
		}
		g.Notes = append(g.Notes, in.workerNotes(g, conf)...)
	}
}

func noConf(n *balancer.Config) string {
	if n == nil {
		return "No configuration was read (-nginx-conf), so there are no shares to expect."
	}
	return "The configuration that was read, " + n.File + ", has no upstream of this name, so there are no shares to expect."
}

// who is the balancer, for sentences.
func (in *Input) who() string {
	if in.Balancer == nil || in.Balancer.Balancer == "" {
		return "the balancer"
	}
	return in.Balancer.Balancer
}

func (in *Input) group(name string) *balancer.Group {
	if in.Balancer == nil {
		return nil
	}
	return in.Balancer.Group(name)
}

// name adds weights, expected shares, names and modes, and the servers that got no request.
func (in *Input) name(g *run.Group, conf *balancer.Group) {
	if conf != nil {
		g.Method = string(conf.Method)
		weights := map[string]int{}
		for _, s := range conf.Servers {
			weights[s.Addr] += s.Weight // an address can have several lines
		}
		for _, s := range conf.Servers {
			i := slices.IndexFunc(g.Upstreams, func(u run.Upstream) bool { return u.Addr == s.Addr })
			if i < 0 {
				i = len(g.Upstreams)
				g.Upstreams = append(g.Upstreams, run.Upstream{Addr: s.Addr, Workers: []run.Worker{}})
			}
			g.Upstreams[i].Weight = weights[s.Addr]
			g.Upstreams[i].ExpectedShare = conf.Share(s.Addr)
			if s.Name != "" {
				g.Upstreams[i].Instance = s.Name
			}
		}
	}
	slices.SortFunc(g.Upstreams, func(a, b run.Upstream) int { return cmp.Compare(a.Addr, b.Addr) })
	for i := range g.Upstreams {
		u := &g.Upstreams[i]
		if instance, ok := in.instance(u.Addr); ok {
			u.Instance, u.Mode = instance.Name, string(instance.Mode)
			for _, name := range in.Evidence[g.Name].Names[u.Addr] {
				if name != instance.Name && name != strconv.Itoa(instance.Port) {
					g.Notes = append(g.Notes, fmt.Sprintf("%s is %s of the running layout, and there are answers from there that say they are %s's.", u.Addr, instance.Name, name))
				}
			}
		}
	}
}

func (in *Input) instance(addr string) (layout.Instance, bool) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return layout.Instance{}, false
	}
	for _, instance := range in.Instances {
		if strconv.Itoa(instance.Port) == port {
			return instance, true
		}
	}
	return layout.Instance{}, false
}

func (in *Input) judge(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	sides := in.sides(g, e)
	switch {
	case g.Requests == 0 && e.NoLive > 0:
		g.Verdict = run.Fail
	case g.Requests == 0:
		noPromise(g, "No server of the group got a request.")
	case len(sides) > 1:
		in.judgeSides(g, sides)
	default:
		in.promised(g, conf, e)
	}
	why := in.troubles(g, conf, e, sides)
	switch {
	case g.Verdict != run.Fail:
		g.Notes = append(g.Notes, why...)
	case len(why) > 0:
		g.Reasons = append(g.Reasons, why...)
	default:
		g.Reasons = append(g.Reasons, in.unexplained(g, conf))
	}
}

// promised judges a group by what its balancer has promised of it.
func (in *Input) promised(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	promise := conf.Promise
	switch {
	case promise == nil:
		noPromise(g, "Nobody has said what the method "+string(conf.Method)+" promises.")
		return
	case promise.Kind == balancer.Exact && exactByConnection(g, conf, e):
	case promise.Kind == balancer.Exact:
		in.exact(g, conf, e)
	case promise.Kind == balancer.Chance && pinned(e):
		byConnection(g, e)
	case promise.Kind == balancer.Chance:
		random(g)
	case promise.Kind == balancer.ByKey && conf.Method == balancer.Hash:
		in.hash(g, conf, e)
	default:
		noPromise(g, promise.Because)
	}
	if promise.Warning != "" {
		g.Notes = append(g.Notes, promise.Warning)
	}
}

// noPromise shows the worst deviation without judging it.
func noPromise(g *run.Group, why string) {
	g.Verdict = run.Info
	g.WorstDeviation = worst(g, Foreign{})
	g.Reasons = append(g.Reasons, why)
}

// worst is the largest deviation of an upstream from its share, in requests, with the foreign requests counted in.
func worst(g *run.Group, f Foreign) float64 {
	total := g.Requests + f.total()
	var most float64
	for _, u := range g.Upstreams {
		most = max(most, math.Abs(float64(u.Requests+f.ByAddr[u.Addr])-u.ExpectedShare*float64(total)))
	}
	return most
}

// at is a time in a run for people, counted from the start of the measured part.
func (in *Input) at(t time.Duration) string {
	return fmt.Sprintf("%.2f s", (t - in.Warmup).Seconds())
}
