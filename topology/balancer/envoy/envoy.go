// Package envoy reads how a running Envoy shares load from what its admin interface answers at /config_dump. It was written
// after its documents and tried on answers written by hand after them, not on a running Envoy.
package envoy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"balanceo/topology/balancer"
)

type dump struct {
	Configs []struct {
		Static  []held `json:"static_clusters"`
		Dynamic []held `json:"dynamic_active_clusters"`
	} `json:"configs"`
}

type held struct {
	Cluster cluster `json:"cluster"`
}

type cluster struct {
	Name       string `json:"name"`
	Policy     string `json:"lb_policy"` // missing: ROUND_ROBIN
	Assignment struct {
		Endpoints []struct {
			Endpoints []struct {
				Endpoint struct {
					Address struct {
						Socket struct {
							Address string `json:"address"`
							Port    int    `json:"port_value"`
						} `json:"socket_address"`
					} `json:"address"`
				} `json:"endpoint"`
				Health string `json:"health_status"`
				Weight *int   `json:"load_balancing_weight"`
			} `json:"lb_endpoints"`
		} `json:"endpoints"`
	} `json:"load_assignment"`
}

// Parse reads the answer. Clusters whose servers are not in it, as those from EDS without ?include_eds, are left out.
func Parse(text []byte) (*balancer.Config, error) {
	var d dump
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("an answer of Envoy's /config_dump: %w", err)
	}
	c := &balancer.Config{Balancer: "envoy", File: "Envoy's /config_dump", Workers: 1}
	for _, config := range d.Configs {
		for _, h := range append(config.Static, config.Dynamic...) {
			if g := group(h.Cluster); len(g.Servers) > 0 {
				c.Groups = append(c.Groups, g)
			}
		}
	}
	if len(c.Groups) == 0 {
		return nil, errors.New("an answer of Envoy's /config_dump: it has no cluster with servers")
	}
	slices.SortFunc(c.Groups, func(a, b balancer.Group) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

func group(c cluster) balancer.Group {
	g := balancer.Group{Name: c.Name, Method: cmp.Or(balancer.Method(strings.ToLower(c.Policy)), balancer.RoundRobin)}
	for _, locality := range c.Assignment.Endpoints {
		for _, e := range locality.Endpoints {
			at := e.Endpoint.Address.Socket
			if at.Address == "" {
				continue
			}
			weight := 1
			if e.Weight != nil {
				weight = *e.Weight
			}
			g.Servers = append(g.Servers, balancer.Server{
				Addr: net.JoinHostPort(at.Address, strconv.Itoa(at.Port)), Weight: weight, Down: e.Health != "" && e.Health != "HEALTHY" && e.Health != "UNKNOWN",
			})
		}
	}
	g.Promise = promise(g.Method)
	return g
}

func promise(method balancer.Method) *balancer.Promise {
	nothing := func(why string) *balancer.Promise { return &balancer.Promise{Kind: balancer.Nothing, Because: why} }
	switch method {
	case balancer.RoundRobin:
		return nothing("Each of Envoy's worker threads has a round robin of its own with a random start, and its configuration does not tell how many there are.")
	case "least_request":
		return nothing("least_request takes the less busy of a few that it draws, so the split depends on how fast the servers answer.")
	case balancer.Random:
		return &balancer.Promise{Kind: balancer.Chance, Because: "Each request is drawn on its own."}
	case "ring_hash", "maglev":
		return &balancer.Promise{Kind: balancer.ByKey, Because: "Requests with the same key get the same server."}
	}
	return nothing(fmt.Sprintf("What %s does to the shares is not known.", method))
}
