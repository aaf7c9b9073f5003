package caddy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"balanceo/topology/balancer"
)

// tried is how many requests find out what a method does.
const tried = 300

// Promise implements balancer.Balancer. What random_choose does differs by version, so that the site's own program is
// tried. That round_robin counts through its upstreams, and that random draws evenly of
// them, is what Caddy's documents say; this package repeats upstreams for their weights.
func (c Caddy) Promise(ctx context.Context, s *balancer.Site, conf *balancer.Config) error {
	for i := range conf.Groups {
		g := &conf.Groups[i]
		g.Promise = promise(g)
		if g.Method != "random_choose" || s.Program == "" {
			continue
		}
		order, err := balancer.Try(ctx, c, s.Program, g, tried)
		if err != nil {
			return err
		}
		g.Promise.Warning = starved(g, order)
	}
	return nil
}

// starved tells of the servers that get nothing while nothing else is under way.
func starved(g *balancer.Group, order []int) string {
	var none []string
	for i, s := range g.Servers {
		if !s.Down && !slices.Contains(order, i) {
			none = append(none, s.Addr)
		}
	}
	if len(none) == 0 {
		return ""
	}
	return fmt.Sprintf("Of %d requests, one after the other, this caddy's %s %s gave %s none: it starves a server while nothing is under way. round_robin and "+
		"random do not.", len(order), g.Method, strings.Join(g.Args, " "), strings.Join(none, " and "))
}

func promise(g *balancer.Group) *balancer.Promise {
	nothing := func(why string) *balancer.Promise { return &balancer.Promise{Kind: balancer.Nothing, Because: why} }
	switch g.Method {
	case balancer.RoundRobin:
		return balancer.Cyclic(g, balancer.Smooth(g), "Caddy's round_robin counts through its upstreams, which are repeated for their weights.")
	case weighted:
		return ownWeights(g)
	case balancer.Random:
		return &balancer.Promise{Kind: balancer.Chance, Because: "Caddy's random draws each upstream alike, and they are repeated for their weights."}
	case "random_choose":
		return nothing("random_choose takes the least busy of a few that it draws, not all with the same chance in each version.")
	case balancer.LeastConn:
		return nothing("least_conn takes the server with the fewest requests under way, so the split depends on how fast the servers answer.")
	case "first":
		return nothing("first takes the first server as long as it answers.")
	}
	return &balancer.Promise{Kind: balancer.ByKey, Because: "The same key gets the same server; weights do nothing."}
}

// outOfTurn is what was seen of version 2.11.9; topology/balancer/caddy/newer_test.go repeats it.
const outOfTurn = "While a server is out because it failed, Caddy's weighted_round_robin does not share its turns by weight: of 1,200 requests with the " +
	"weights 7:3:2 and the first out the others got 900:300 and not 720:480."

// ownWeights is the promise of Caddy's own weights.
func ownWeights(g *balancer.Group) *balancer.Promise {
	var order []int
	for _, i := range turns(g) {
		order = append(order, slices.Repeat([]int{i}, g.Servers[i].Weight)...)
	}
	p := balancer.Cyclic(g, order, "Caddy's weighted_round_robin counts through its servers, each as often as its weight says before the next.")
	switch {
	case slices.ContainsFunc(g.Servers, func(s balancer.Server) bool { return s.Failed }):
		return &balancer.Promise{Kind: balancer.Nothing, Because: outOfTurn}
	case slices.ContainsFunc(g.Servers, func(s balancer.Server) bool { return s.MaxFails > 0 }):
		p.Warning = outOfTurn
	}
	return p
}
