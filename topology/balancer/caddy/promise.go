package caddy

import (
	"context"

	"balanceo/topology/balancer"
)

// Promise implements balancer.Balancer. That round_robin counts through its upstreams, and that random draws evenly of
// them, is what Caddy's documents say; this package repeats upstreams for their weights.
func (Caddy) Promise(_ context.Context, _ *balancer.Site, c *balancer.Config) error {
	for i := range c.Groups {
		g := &c.Groups[i]
		g.Promise = promise(g)
	}
	return nil
}

func promise(g *balancer.Group) *balancer.Promise {
	nothing := func(why string) *balancer.Promise { return &balancer.Promise{Kind: balancer.Nothing, Because: why} }
	switch g.Method {
	case balancer.RoundRobin:
		return balancer.Cyclic(g, balancer.Smooth(g), "Caddy's round_robin counts through its upstreams, which are repeated for their weights.")
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
