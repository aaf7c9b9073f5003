// Package balancer is what a balancer is to the rest: the groups over which it shares load, with method,
// weights and expected shares, as its configuration says them. Each balancer is a package below it.
package balancer

import (
	"context"
	"net"
	"slices"
	"strings"
)

// Method is how an upstream group picks a server.
type Method string

// The methods that nginx.conf can name.
const (
	RoundRobin Method = "round_robin"
	Random     Method = "random"
	Hash       Method = "hash"
	LeastConn  Method = "least_conn"
	LeastTime  Method = "least_time" // nginx Plus
	IPHash     Method = "ip_hash"
)

// Config is what the configuration of a balancer says about sharing load.
type Config struct {
	File      string  // as given to whoever read it
	Listen    []int   // ports, ascending
	Workers   int     // worker_processes; auto: the number of cores
	AccessLog string  // path of the JSON access log, resolved against the prefix; empty: none
	Groups    []Group // sorted by name
}

// Group is one upstream block.
type Group struct {
	Name      string
	Method    Method
	Zone      bool // worker processes share the state of the balancing
	Keepalive int  // idle connections kept to the servers per worker process
	Servers   []Server
}

// Server is one server line of an upstream block.
type Server struct {
	Addr        string // host:port
	Weight      int
	MaxFails    int
	FailTimeout float64 // seconds
	Backup      bool
	Down        bool
}

// Share is the part of the group's requests, 0..1, that the server at addr is due while every server is up:
// its weight over the sum of weights of all servers that are neither backup nor down.
func (g Group) Share(addr string) float64 {
	var own, sum int
	for _, s := range g.Servers {
		if s.Backup || s.Down {
			continue
		}
		sum += s.Weight
		if s.Addr == addr {
			own += s.Weight
		}
	}
	if sum == 0 {
		return 0
	}
	return float64(own) / float64(sum)
}

// Resolve replaces each server whose address is a name by one server an address that lookup finds for it, as
// nginx does when it starts: each becomes a peer with the whole weight. Answers name peers by their addresses.
// "localhost" can so become two peers, ::1 and 127.0.0.1. An address found twice is one peer; a name that is
// not found stays. Nil: the system's lookup.
func (c *Config) Resolve(ctx context.Context, lookup func(ctx context.Context, host string) ([]string, error)) {
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	for i := range c.Groups {
		var servers []Server
		for _, s := range c.Groups[i].Servers {
			servers = append(servers, s.resolve(ctx, lookup)...)
		}
		c.Groups[i].Servers = servers
	}
}

func (s Server) resolve(ctx context.Context, lookup func(context.Context, string) ([]string, error)) []Server {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil || strings.HasPrefix(s.Addr, "unix:") || net.ParseIP(host) != nil {
		return []Server{s}
	}
	found, err := lookup(ctx, host)
	if err != nil || len(found) == 0 {
		return []Server{s}
	}
	found = slices.Compact(slices.Sorted(slices.Values(found)))
	servers := make([]Server, len(found))
	for i, addr := range found {
		servers[i] = s
		servers[i].Addr = net.JoinHostPort(addr, port)
	}
	return servers
}
