package haproxy

import (
	"context"
	"fmt"
	"strings"

	"balanceo/topology/balancer"
)

// Name is what people call it.
const Name = "haproxy"

// Promise implements balancer.Balancer. Nobody has written down what roundrobin and static-rr do to the last request,
// so the site's own program is asked: all threads take turns in one order, which repeats.
func (h HAProxy) Promise(ctx context.Context, s *balancer.Site, c *balancer.Config) error {
	for i := range c.Groups {
		g := &c.Groups[i]
		var err error
		switch name, _, _ := strings.Cut(string(g.Method), "("); name {
		case "roundrobin", "static-rr":
			g.Promise, err = h.turns(ctx, s, g)
		case "random":
			g.Promise = nothing("random draws points on a ring on which the servers' arcs are near their weights and not equal to them, " +
				"and random(2) takes the less busy of two.")
		case "leastconn":
			g.Promise = nothing("leastconn takes the server with the fewest connections for its weight, so the shares depend on how fast they answer.")
		case "first":
			g.Promise = nothing("first fills one server up to its maxconn before it takes the next.")
		default: // source, uri, hdr, url_param
			g.Promise = &balancer.Promise{Kind: balancer.ByKey, Because: fmt.Sprintf("%s gives requests with the same key to the same server.", g.Method)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func nothing(why string) *balancer.Promise {
	return &balancer.Promise{Kind: balancer.Nothing, Because: why}
}

// farthest says which server got least of an order, as compared with its weight.
func farthest(g *balancer.Group, order []int) string {
	counts, worst, most := make([]int, len(g.Servers)), 0, 0.0
	for _, i := range order {
		counts[i]++
	}
	for i, s := range g.Servers {
		if lack := g.Share(s.Addr)*float64(len(order)) - float64(counts[i]); lack > most {
			worst, most = i, lack
		}
	}
	if most < 1 {
		return ""
	}
	s := g.Servers[worst]
	return fmt.Sprintf(": %s got %d, where its weight promises %.0f; static-rr keeps its promise", s.Addr, counts[worst], g.Share(s.Addr)*float64(len(order)))
}

// mostTried bounds how many requests are sent to learn an order: some seconds.
const mostTried = 12000

// turns tries the program out. The period of roundrobin was seen to be 16 times the sum of the weights or one request
// less, that of static-rr their sum or a part of it.
func (h HAProxy) turns(ctx context.Context, s *balancer.Site, g *balancer.Group) (*balancer.Promise, error) {
	sum, first, equal := 0, 0, true
	for _, server := range g.Servers {
		if !server.Active() {
			continue
		}
		sum += server.Weight
		first = max(first, server.Weight)
		equal = equal && server.Weight == first
	}
	n := 16 * sum
	if equal || g.Method == "static-rr" {
		n = sum
	}
	if n = 4*n + 30; n > mostTried {
		return nothing(fmt.Sprintf("With weights whose sum is %d it would take %d requests to try out the order in which %s gives turns.", sum, n, g.Method)), nil
	}
	order, err := balancer.Try(ctx, h, s.Program, g, n)
	if err != nil {
		return nil, err
	}
	p, period, ok := balancer.Repeated(g, order, "")
	if !ok {
		return nothing(fmt.Sprintf("%s gives turns in an order that did not repeat within %d requests%s.", g.Method, n, farthest(g, order))), nil
	}
	p.Because = fmt.Sprintf("This haproxy, tried with these weights, gives turns in an order that repeats after %d requests.", period)
	if p.Warning != "" {
		p.Warning += " static-rr does not, and larger weights do so less."
	}
	return p, nil
}
