package distribution

import (
	"cmp"
	"math"
	"net"
	"slices"
	"strconv"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// Input is what is known beside the counts.
type Input struct {
	Nginx     *balancer.Config          // nil: no configuration was found
	Instances []layout.Instance         // of the running layout; empty: not ours
	Evidence  map[string]tally.Evidence // by group
	Foreign   map[string]Foreign        // by group, from nginx's access log
	LogRead   bool                      // whether the access log could be read, so that Foreign says something
	Warmup    float64                   // seconds
	URIs      []string                  // of the routes, by their index in Evidence.ByRoute
}

// Foreign is what others sent through a group while the measured part lasted.
type Foreign struct {
	ByAddr map[string]int64 // requests, by the server that answered
	Failed int64            // attempts that failed and went on to another server
	Border int64            // requests at the borders of the measured part, which may lie inside or outside
}

// Explain completes groups, which have the counts, with what nginx.conf and the layout say of them, with a
// verdict and with its reasons. Servers that got no request are added. The groups are changed in place.
func Explain(groups []run.Group, in Input) {
	for i := range groups {
		g := &groups[i]
		conf := in.group(g.Name)
		in.name(g, conf)
		e := in.Evidence[g.Name]
		if conf == nil {
			g.Verdict = run.Info
			g.Reasons = append(g.Reasons, noConf(in.Nginx))
		} else {
			in.judge(g, conf, e)
		}
		g.Notes = append(g.Notes, workerNotes(g, conf)...)
	}
}

func noConf(n *balancer.Config) string {
	if n == nil {
		return "No configuration of nginx was read (-nginx-conf), so there are no shares to expect."
	}
	return "The configuration that was read, " + n.File + ", has no upstream of this name, so there are no shares to expect."
}

func (in *Input) group(name string) *balancer.Group {
	if in.Nginx == nil {
		return nil
	}
	for i := range in.Nginx.Groups {
		if in.Nginx.Groups[i].Name == name {
			return &in.Nginx.Groups[i]
		}
	}
	return nil
}

// name adds weights, expected shares, names and modes, and the servers that got no request.
func (in *Input) name(g *run.Group, conf *balancer.Group) {
	if conf != nil {
		g.Method = string(conf.Method)
		for _, s := range conf.Servers {
			i := slices.IndexFunc(g.Upstreams, func(u run.Upstream) bool { return u.Addr == s.Addr })
			if i < 0 {
				i = len(g.Upstreams)
				g.Upstreams = append(g.Upstreams, run.Upstream{Addr: s.Addr, Workers: []run.Worker{}})
			}
			g.Upstreams[i].Weight = s.Weight
			g.Upstreams[i].ExpectedShare = conf.Share(s.Addr)
		}
	}
	slices.SortFunc(g.Upstreams, func(a, b run.Upstream) int { return cmp.Compare(a.Addr, b.Addr) })
	for i := range g.Upstreams {
		u := &g.Upstreams[i]
		if instance, ok := in.instance(u.Addr); ok {
			u.Instance, u.Mode = instance.Name, string(instance.Mode)
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
	switch {
	case g.Requests == 0 && e.NoLive > 0:
		g.Verdict = run.Fail
	case g.Requests == 0:
		in.noPromise(g, "No server of the group got a request.")
	default:
		in.judgeMethod(g, conf, e)
	}
	if g.Verdict != run.Fail {
		g.Notes = append(g.Notes, in.troubles(g, conf, e)...)
	} else if why := in.troubles(g, conf, e); len(why) > 0 {
		g.Reasons = append(g.Reasons, why...)
	} else {
		g.Reasons = append(g.Reasons, in.unexplained(g))
	}
}

func (in *Input) judgeMethod(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	if conf.Promise != nil {
		in.promised(g, conf, e)
		return
	}
	switch conf.Method {
	case balancer.RoundRobin:
		in.roundRobin(g, conf, e)
	case balancer.Random:
		in.random(g)
	case balancer.Hash:
		in.hash(g, e)
	case balancer.LeastConn:
		in.noPromise(g, "least_conn sends a request to the server with the fewest open connections for its weight, so the split depends on how fast the servers answer.")
	case balancer.IPHash:
		in.noPromise(g, "ip_hash sends all requests of one client address to one server, and this load comes from one client.")
	default:
		in.noPromise(g, "The method "+string(conf.Method)+" makes no promise about shares.")
	}
}

// noPromise shows the worst deviation without judging it.
func (in *Input) noPromise(g *run.Group, why string) {
	g.Verdict = run.Info
	g.WorstDeviation = worst(g, Foreign{})
	g.Reasons = append(g.Reasons, why)
}

// worst is the largest deviation of an upstream from its share, in requests, with the foreign requests
// counted in.
func worst(g *run.Group, f Foreign) float64 {
	total := g.Requests
	for _, n := range f.ByAddr {
		total += n
	}
	var most float64
	for _, u := range g.Upstreams {
		most = max(most, math.Abs(float64(u.Requests+f.ByAddr[u.Addr])-u.ExpectedShare*float64(total)))
	}
	return most
}
