// Package traefik reads how a running Traefik shares load from what its API answers at /api/http/services. It was written
// after its documents and tried on answers written by hand after them, not on a running Traefik.
package traefik

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"balanceo/topology/balancer"
)

// service is one of the answer's list.
type service struct {
	Name         string `json:"name"`
	LoadBalancer *struct {
		Strategy string `json:"strategy"`
		Sticky   any    `json:"sticky"`
		Servers  []struct {
			URL    string `json:"url"`
			Weight *int   `json:"weight"`
		} `json:"servers"`
	} `json:"loadBalancer"`
	Status map[string]string `json:"serverStatus"` // by URL: UP, DOWN
}

// Parse reads the answer. Services that share over other services, and those of Traefik's own, are left out.
func Parse(text []byte) (*balancer.Config, error) {
	var services []service
	if err := json.Unmarshal(text, &services); err != nil {
		return nil, fmt.Errorf("an answer of Traefik's /api/http/services: %w", err)
	}
	c := &balancer.Config{Balancer: "traefik", File: "Traefik's /api/http/services", Workers: 1}
	for _, s := range services {
		if s.LoadBalancer == nil || strings.HasSuffix(s.Name, "@internal") {
			continue
		}
		g := balancer.Group{Name: s.Name, Method: balancer.Method(cmp.Or(s.LoadBalancer.Strategy, "wrr")), Zone: true}
		for _, server := range s.LoadBalancer.Servers {
			u, err := url.Parse(server.URL)
			if err != nil || u.Host == "" {
				return nil, fmt.Errorf("an answer of Traefik's /api/http/services: service %q: server %q is no URL", s.Name, server.URL)
			}
			weight := 1
			if server.Weight != nil {
				weight = *server.Weight
			}
			status := s.Status[server.URL]
			g.Servers = append(g.Servers, balancer.Server{Addr: u.Host, Weight: weight, Down: weight == 0 || status != "" && status != "UP"})
		}
		g.Promise = promise(&g, s.LoadBalancer.Sticky != nil)
		c.Groups = append(c.Groups, g)
	}
	slices.SortFunc(c.Groups, func(a, b balancer.Group) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

func promise(g *balancer.Group, sticky bool) *balancer.Promise {
	switch {
	case sticky:
		return &balancer.Promise{Kind: balancer.ByKey, Because: "A sticky service keeps each client at the server that its cookie names."}
	case g.Method == "wrr":
		return &balancer.Promise{
			Kind: balancer.Exact, Within: window(g),
			Because: "Traefik's wrr takes the earliest deadline and adds 1/weight to it, so a server of weight w of W is never more than 1 - w/W behind and (m-1)w/W before its share.",
		}
	case g.Method == "p2c":
		return &balancer.Promise{Kind: balancer.Nothing, Because: "p2c takes the less busy of two servers, so the split depends on how fast they answer."}
	}
	return &balancer.Promise{Kind: balancer.Nothing, Because: fmt.Sprintf("What %s does to the shares is not known.", g.Method)}
}

// window is the widest range of a server's deviations: from 1 - w/W behind to (m-1)w/W before, with m servers.
func window(g *balancer.Group) float64 {
	sum, m, most := 0, 0, 0.0
	for _, s := range g.Servers {
		if !s.Down {
			sum += s.Weight
			m++
		}
	}
	for _, s := range g.Servers {
		if p := float64(s.Weight) / float64(max(sum, 1)); !s.Down {
			most = max(most, 1-p+float64(m-1)*p)
		}
	}
	return most
}
