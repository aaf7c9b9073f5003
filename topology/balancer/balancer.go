// Package balancer is what a balancer is to the rest: the groups over which it shares load, with method,
// weights and what is promised of them, and how it is configured, started, reloaded and asked. Each balancer is
// a package below it.
package balancer

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Method is how a group picks a server, in the words of its balancer.
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

// Service is the name of what shares connections in a cluster of Kubernetes where no other balancer does: kube-proxy.
const Service = "service"

// Config is what the configuration of a balancer says about sharing load.
type Config struct {
	Balancer  string   `json:"balancer"` // "nginx", "haproxy" …
	Version   string   `json:"version,omitempty"`
	File      string   `json:"file"`                 // as given to whoever read it
	Listen    []int    `json:"listen"`               // ports, ascending
	Workers   int      `json:"workers"`              // processes or threads that balance
	Auto      bool     `json:"auto,omitempty"`       // Workers is as many as the balancer's machine has cores, taken for this one's
	AccessLog string   `json:"access_log,omitempty"` // path of the JSON access log; empty: none
	Ledger    string   `json:"ledger,omitempty"`     // address of the ledger that has the log and the servers' counts
	Groups    []Group  `json:"groups"`               // sorted by name
	Warnings  []string `json:"warnings,omitempty"`   // what could not be read and may matter
	AtReload  string   `json:"at_reload,omitempty"`  // what requests a reload may cost on this machine; empty: none
	// Epochs are the configurations that the running balancer has had, oldest first. The last one has the groups
	// above. Of one that does not run there are none.
	Epochs []Epoch `json:"epochs,omitempty"`
}

// Epoch is a configuration that was in force for a time.
type Epoch struct {
	Began  time.Time `json:"began"` // when the balancer was told to read it; until then the one before was in force
	Done   time.Time `json:"done"`  // when it was in force; zero: not yet
	Groups []Group   `json:"groups"`
}

// Group returns the group of that name, nil if there is none.
func (e *Epoch) Group(name string) *Group { return named(e.Groups, name) }

// Group is a set of servers that share requests: an upstream block of nginx, a backend of HAProxy.
type Group struct {
	Name      string   `json:"name"`
	Method    Method   `json:"method"`
	Args      []string `json:"args,omitempty"`      // of the method: "two", a hash's key
	Zone      bool     `json:"zone,omitempty"`      // worker processes share the state of the balancing
	Keepalive int      `json:"keepalive,omitempty"` // idle connections kept to the servers per worker process
	Servers   []Server `json:"servers"`
	Promise   *Promise `json:"promise,omitempty"` // nil: nobody has said
}

// Server is one member of a group.
type Server struct {
	Addr        string  `json:"addr"`           // host:port
	Name        string  `json:"name,omitempty"` // of the instance, where a ledger counts for it
	Weight      int     `json:"weight"`
	MaxFails    int     `json:"max_fails"`
	FailTimeout float64 `json:"fail_timeout"`        // seconds
	MaxConns    int     `json:"max_conns,omitempty"` // 0: no limit
	Backup      bool    `json:"backup,omitempty"`
	Down        bool    `json:"down,omitempty"`
	Failed      bool    `json:"failed,omitempty"` // down because the balancer itself says so, and not its configuration
}

// Active tells whether the server gets requests while every server is up.
func (s Server) Active() bool { return !s.Backup && !s.Down }

// Peers is how many servers get requests while every server is up.
func (g Group) Peers() (n int) {
	for _, s := range g.Servers {
		if s.Active() {
			n++
		}
	}
	return n
}

// Group returns the group of that name, nil if there is none. A group without a name is any that no other is.
func (c *Config) Group(name string) *Group { return named(c.Groups, name) }

func named(groups []Group, name string) *Group {
	if i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == name }); i >= 0 {
		return &groups[i]
	}
	if len(groups) == 1 && groups[0].Name == "" {
		return &groups[0]
	}
	return nil
}

// Share is the part of the group's requests, 0..1, that is promised to the server at addr while every server is up:
// that of its weight, unless the promise says otherwise.
func (g Group) Share(addr string) float64 {
	if g.Promise != nil && g.Promise.Shares != nil {
		return g.Promise.Shares[addr]
	}
	return g.byWeight(addr)
}

// byWeight is a server's weight over the sum of weights of all servers that get requests.
func (g Group) byWeight(addr string) float64 {
	var own, sum int
	for _, s := range g.Servers {
		if !s.Active() {
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
// not found stays. Shares that a promise names go to the same server. Nil: the system's lookup.
func (c *Config) Resolve(ctx context.Context, lookup func(ctx context.Context, host string) ([]string, error)) {
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		var servers []Server
		shares := map[string]float64{}
		for _, s := range g.Servers {
			found := s.resolve(ctx, lookup)
			servers = append(servers, found...)
			if g.Promise == nil || g.Promise.Shares == nil {
				continue
			}
			if len(found) > 1 {
				g.Promise = &Promise{Kind: Nothing, Because: fmt.Sprintf("%s has %d addresses, and which of them %s uses is not known.", s.Addr, len(found), c.Balancer)}
				continue
			}
			shares[found[0].Addr] = g.Promise.Shares[s.Addr]
		}
		g.Servers = servers
		if g.Promise != nil && g.Promise.Shares != nil {
			g.Promise.Shares = shares
		}
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
