package distribution

import (
	"net"
	"slices"

	"balanceo/topology/layout"
)

// Resolved is n with each server that is given by a name replaced by the addresses of that name: nginx makes a
// peer of each when it starts, with the whole weight, and these are what $upstream_addr shows. "localhost" can
// so become two peers, ::1 and 127.0.0.1. A name that lookup does not know stays as it is. n is not changed.
func Resolved(n *layout.Nginx, lookup func(host string) ([]string, error)) *layout.Nginx {
	out := *n
	out.Groups = slices.Clone(n.Groups)
	for i := range out.Groups {
		var servers []layout.Server
		for _, s := range out.Groups[i].Servers {
			servers = append(servers, resolve(s, lookup)...)
		}
		out.Groups[i].Servers = servers
	}
	return &out
}

func resolve(s layout.Server, lookup func(host string) ([]string, error)) []layout.Server {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil || net.ParseIP(host) != nil {
		return []layout.Server{s}
	}
	addrs, err := lookup(host)
	if err != nil || len(addrs) == 0 {
		return []layout.Server{s}
	}
	slices.Sort(addrs)
	var out []layout.Server
	for _, addr := range slices.Compact(addrs) {
		peer := s
		peer.Addr = net.JoinHostPort(addr, port)
		out = append(out, peer)
	}
	return out
}
