package caddy

import (
	"regexp"
	"strconv"
	"strings"

	"balanceo/topology/balancer"
)

type object = map[string]any

// render is Caddy's configuration of a plan, in its own JSON.
func render(s *balancer.Site, plan *balancer.Plan) object {
	routes := make([]object, 0, len(plan.Routes)+1)
	if plan.MaxBody > 0 { // the length of its digits decides, or they do
		routes = append(routes, object{
			"match":  []object{{"header_regexp": object{"Content-Length": object{"pattern": above(plan.MaxBody)}}}},
			"handle": []object{{"handler": "static_response", "status_code": "413"}}, "terminal": true,
		})
	}
	for _, r := range plan.Routes {
		pattern := "^" + regexp.QuoteMeta(r.Path)
		if r.Exact {
			pattern += "$"
		}
		routes = append(routes, object{
			"match":  []object{{"path_regexp": object{"pattern": pattern}}}, // path alone takes no notice of case
			"handle": handle(plan, r), "terminal": true,
		})
	}
	routes = append(routes, object{"handle": []object{{"handler": "static_response", "status_code": "404"}}})
	binds := make([]string, len(plan.Binds))
	for i, bind := range plan.Binds {
		binds[i] = "tcp/" + bind
	}
	return object{
		"admin":   object{"listen": "unix/" + s.Socket(), "origins": []string{"caddy"}, "config": object{"persist": false}},
		"storage": object{"module": "file_system", "root": s.Dir},
		"logging": object{"logs": object{
			"default": object{"level": "WARN", "exclude": []string{"http.log.access"}},
			"access": object{
				"writer":  object{"output": "file", "filename": plan.AccessLog, "roll": false},
				"encoder": object{"format": "json"}, "include": []string{"http.log.access"},
			},
		}},
		"apps": object{"http": object{
			"grace_period": "10s",
			"servers": object{"front": object{
				"listen": binds, "routes": routes, "logs": object{}, "automatic_https": object{"disable": true},
				// Its own 502 and 503 are answers of the group, too.
				"errors": object{"routes": []object{{"handle": []object{
					{"handler": "headers", "response": object{"set": signature(plan, "{http.vars.group}")}},
					{"handler": "static_response", "status_code": "{http.error.status_code}"},
				}}}},
			}},
		}},
	}
}

// above is a pattern of the whole numbers above n, without leading zeros.
func above(n int64) string {
	digits := strconv.FormatInt(n, 10)
	alternatives := []string{`[1-9]\d{` + strconv.Itoa(len(digits)) + `,}`}
	for i, d := range digits {
		if d < '9' {
			alternatives = append(alternatives, digits[:i]+"["+string(d+1)+`-9]\d{`+strconv.Itoa(len(digits)-i-1)+"}")
		}
	}
	return "^(?:" + strings.Join(alternatives, "|") + ")$"
}

// signature are the headers that say who answered, and those of the plan.
func signature(plan *balancer.Plan, group string) object {
	set := object{"X-Upstream": []string{"{http.reverse_proxy.upstream.hostport}"}, "X-Upstream-Group": []string{group}}
	for _, h := range plan.Answer {
		set[h[0]] = []string{h[1]}
	}
	return set
}

// handle is what happens to the requests of a route.
func handle(plan *balancer.Plan, r balancer.Route) []object {
	if r.Group == "" {
		return []object{{"handler": "static_response", "status_code": strconv.Itoa(r.Status)}}
	}
	g := plan.Group(r.Group)
	read := r.Read
	if read == 0 {
		read = plan.Read
	}
	var upstreams []object
	for _, i := range turns(g) {
		upstreams = append(upstreams, object{"dial": g.Servers[i].Addr})
	}
	proxy := object{
		"handler": "reverse_proxy", "upstreams": upstreams,
		"load_balancing": object{"selection_policy": policy(g), "retries": retries(g)},
		"transport": object{
			"protocol": "http", "dial_timeout": plan.Connect.String(), "response_header_timeout": read.String(),
			"keep_alive": object{"max_idle_conns_per_host": max(g.Keepalive, 1), "idle_timeout": "60s"}, "compression": false,
		},
		// What the client says about who it is passes on, with the client's own address, as nginx does it.
		"trusted_proxies": []string{"0.0.0.0/0", "::/0"},
		"headers": object{
			"request": object{
				"set":    object{"X-Real-IP": []string{"{http.request.remote.host}"}, "X-Forwarded-Proto": []string{"{http.request.scheme}"}},
				"delete": []string{"X-Forwarded-Host"},
			},
			"response": object{"set": signature(plan, g.Name)},
		},
	}
	if s := g.Servers[0]; s.MaxFails > 0 {
		proxy["health_checks"] = object{"passive": object{"max_fails": s.MaxFails, "fail_duration": strconv.FormatFloat(s.FailTimeout, 'f', -1, 64) + "s"}}
	}
	return []object{{"handler": "vars", "group": g.Name}, proxy}
}

// policy is a group's method as Caddy's module.
func policy(g *balancer.Group) object {
	p := object{"policy": string(g.Method)}
	switch g.Method {
	case "random_choose":
		p["choose"], _ = strconv.Atoi(g.Args[0])
	case "header":
		p["field"] = g.Args[0]
	case weighted:
		var weights []int
		for _, i := range turns(g) {
			weights = append(weights, g.Servers[i].Weight)
		}
		p["weights"] = weights
	}
	return p
}

// retries are enough to come to a server that answers, wherever the turn is and whoever does not.
func retries(g *balancer.Group) int {
	n := 0
	for _, i := range turns(g) {
		if n++; g.Method == weighted { // a retry is the next of its turns, too
			n += g.Servers[i].Weight - 1
		}
	}
	return max(1, n-1)
}

// turns are the upstreams of a group: each server as often as its weight says, or once where the method has weights.
func turns(g *balancer.Group) []int {
	if g.Method != weighted {
		return balancer.Smooth(g)
	}
	var once []int
	for i, s := range g.Servers {
		if !s.Down && !s.Backup {
			once = append(once, i)
		}
	}
	return once
}
