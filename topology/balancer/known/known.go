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
