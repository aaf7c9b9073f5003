package caddy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"balanceo/topology/balancer"
)

// Ask implements balancer.Balancer. Caddy does not count what it gives to a server.
func (Caddy) Ask(ctx context.Context, s *balancer.Site) (balancer.State, error) {
	text, err := ask(ctx, s, http.MethodGet, "/config/apps/http/servers/front/routes", nil)
	if err != nil {
		return nil, err
	}
	health, err := ask(ctx, s, http.MethodGet, "/reverse_proxy/upstreams", nil)
	if err != nil {
		return nil, err
	}
	return parseState(text, health)
}

func parseState(routes, health []byte) (balancer.State, error) {
	var parsed []struct {
		Handle []struct {
			Handler   string `json:"handler"`
			Group     string `json:"group"` // of the handler vars
			Upstreams []struct {
				Dial string `json:"dial"`
			} `json:"upstreams"`
			Balancing struct {
				Policy struct {
					Weights []int `json:"weights"` // nil: none
				} `json:"selection_policy"`
			} `json:"load_balancing"`
			Checks struct {
				Passive struct {
					MaxFails int `json:"max_fails"`
				} `json:"passive"`
			} `json:"health_checks"`
		} `json:"handle"`
	}
	var fails []struct {
		Address string `json:"address"`
		Fails   int    `json:"fails"`
	}
	if err := errors.Join(json.Unmarshal(routes, &parsed), json.Unmarshal(health, &fails)); err != nil {
		return nil, fmt.Errorf("caddy's admin API: %w", err)
	}
	failing := map[string]int{}
	for _, f := range fails {
		failing[f.Address] = f.Fails
	}
	state := balancer.State{}
	for _, r := range parsed {
		group := ""
		for _, h := range r.Handle {
			if h.Handler == "vars" {
				group = h.Group
			}
			if h.Handler != "reverse_proxy" || state[group] != nil {
				continue
			}
			most := max(h.Checks.Passive.MaxFails, 1)
			for k, u := range h.Upstreams { // one that is repeated has that weight
				i := slices.IndexFunc(state[group], func(s balancer.ServerState) bool { return s.Addr == u.Dial })
				if i < 0 {
					i = len(state[group])
					state[group] = append(state[group], balancer.ServerState{Addr: u.Dial, Requests: -1, Up: failing[u.Dial] < most})
				}
				if weights := h.Balancing.Policy.Weights; k < len(weights) {
					state[group][i].Weight = weights[k]
				} else {
					state[group][i].Weight++
				}
			}
		}
	}
	return state, nil
}
