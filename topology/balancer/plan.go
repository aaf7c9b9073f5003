package balancer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Plan is what a configuration says in words that every balancer has: who listens, which request goes to which
// group, and what is told the servers and the client about it. All requests reach their server with the Host
// that the client sent, X-Real-IP, X-Forwarded-For and X-Forwarded-Proto; all answers say in the headers
// X-Upstream and X-Upstream-Group who gave them, whatever their status; websockets pass.
type Plan struct {
	*Config
	Binds   []string      // where to listen: host:port, an empty host is every address
	Routes  []Route       // the first that fits a request's path counts
	Answer  [][2]string   // further headers of every answer, with constant values
	MaxBody int64         // bytes of a request's body; 0: no limit
	Connect time.Duration // to wait for a connection to a server
	Read    time.Duration // between two reads from a server; a route may say otherwise

	// Lines says where in the source each server of a group is, as file:line, in the order of the servers.
	Lines map[string][]string
	// Methods says where in the source a group's method stands, its first line where it is the default.
	Methods map[string]string
}

// RefuseMethod is the error of a method that a balancer can't have, at its place in the source.
func (p *Plan) RefuseMethod(group string, why error) error {
	return fmt.Errorf("%s: upstream %s: %w", p.Methods[group], group, why)
}

// Refuse is the error of a server that a balancer can't have, at its place in the source.
func (p *Plan) Refuse(group string, server int, what string) error {
	return fmt.Errorf("%s: %s", p.Lines[group][server], what)
}

// Route says what happens to requests whose path is, or begins with, Path.
type Route struct {
	Path  string
	Exact bool
	// Group gets the requests; where it is empty they are answered with Status.
	Group  string
	Status int
	Read   time.Duration // 0: the plan's
}

// SortRoutes puts the routes into the order in which nginx would choose them: exact ones, then the longest
// beginning.
func (p *Plan) SortRoutes() {
	slices.SortStableFunc(p.Routes, func(a, b Route) int {
		if a.Exact != b.Exact {
			if a.Exact {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(b.Path), len(a.Path)), strings.Compare(a.Path, b.Path))
	})
}
