// Package known lists the balancers that there are. A new one is a package beside this one and a line here.
package known

import (
	"fmt"
	"strings"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/apache"
	"balanceo/topology/balancer/caddy"
	"balanceo/topology/balancer/haproxy"
	"balanceo/topology/balancer/nginx"
)

// Balancers returns all of them, the default first.
func Balancers() []balancer.Balancer {
	return []balancer.Balancer{nginx.Nginx{}, haproxy.HAProxy{}, caddy.Caddy{}, apache.Apache{}}
}

// Signature is what to paste into a balancer's configuration so that its answers say who gave them, and so that its log can
// be counted.
type Signature struct {
	Balancer, Lines string
	Log             string // empty: its log is read in layouts of ours only
}

// Signatures returns those of the balancers whose answers can say it.
func Signatures() []Signature {
	return []Signature{
		{"nginx", "add_header X-Upstream $upstream_addr always; add_header X-Upstream-Group $proxy_host always;", nginx.LogFormat},
		{"haproxy", "in each backend, http-after-response set-header X-Upstream %si:%sp and http-after-response set-header X-Upstream-Group %b", ""},
		{"caddy", "in each reverse_proxy, header_down X-Upstream {rp.upstream.hostport} and header_down X-Upstream-Group NAME", ""},
		{"apache", `Header unset X-Upstream, Header unset X-Upstream-Group, Header always set X-Upstream "%{BALANCER_WORKER_NAME}e" and Header always set X-Upstream-Group "%{BALANCER_NAME}e"`, ""},
		{"envoy", `response_headers_to_add X-Upstream "%UPSTREAM_HOST%" and X-Upstream-Group "%UPSTREAM_CLUSTER%"`, ""},
		{"traefik", "it has no such header: let the servers name themselves", ""},
	}
}

// Names are what people call them.
func Names() []string {
	var names []string
	for _, b := range Balancers() {
		names = append(names, b.Name())
	}
	return names
}

// Named returns the one with that name, the default for none.
func Named(name string) (balancer.Balancer, error) {
	for _, b := range Balancers() {
		if name == "" || name == b.Name() {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%q is no balancer that is known here: %s", name, strings.Join(Names(), ", "))
}
