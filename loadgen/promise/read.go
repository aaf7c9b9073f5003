package promise

import (
	"bytes"
	"os"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/envoy"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/balancer/traefik"
)

// read reads a file that says how a balancer shares load: a configuration of nginx, or what Traefik or Envoy answered
// when asked; "-", a configuration of nginx on standard input.
func read(file string) (*balancer.Config, error) {
	var text []byte
	if file != "-" {
		text, _ = os.ReadFile(file) // nginx.Read says what is wrong with it
	}
	switch start := bytes.TrimSpace(text); {
	case bytes.HasPrefix(start, []byte("[")):
		return traefik.Parse(start)
	case bytes.HasPrefix(start, []byte("{")):
		return envoy.Parse(start)
	}
	return nginx.Read(file, "")
}
