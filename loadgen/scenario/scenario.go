// Package scenario says which requests a load consists of and in which order they are sent.
//
// A scenario is a list of weighted requests. Their order is not drawn at random but interleaved: after any
// number of hits each request has been sent within one of its exact part, so that half of "mix" means half,
// not about half.
package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/tally"
	"balanceo/topology/cli"
)

// The built-in scenarios that are a list of requests.
const (
	Mix     = "mix"     // half Site, half Randoms
	Site    = "site"    // the pages that need no session
	Randoms = "randoms" // /api/randoms
)

// The built-in scenarios that act, with users or websocket clients.
const (
	Session   = "session"
	WebSocket = "ws"
)

// URL is the scenario whose only request is the target's URL itself.
const URL = "url"

// Names are the built-in scenarios, as -scenario takes them.
func Names() []string { return []string{Mix, Site, Randoms, Session, WebSocket, URL} }

// Scenario is a load. It is not changed once made, so any goroutine may read it.
type Scenario struct {
	Name     string
	Requests []attack.Request
	sequence []int // indices into Requests; repeats itself
}

// New makes a scenario of requests; those of weight 0 are never sent.
func New(name string, requests []attack.Request) (*Scenario, error) {
	s := &Scenario{Name: name, Requests: requests}
	weights := make([]int, len(requests))
	for i, r := range requests {
		weights[i] = r.Weight
	}
	var err error
	if s.sequence, err = interleave(weights); err != nil {
		return nil, fmt.Errorf("scenario %q: %w", name, err)
	}
	return s, nil
}

// At returns which request is the n-th to be sent, counted from 0, as an index into Requests.
func (s *Scenario) At(n uint64) int { return s.sequence[n%uint64(len(s.sequence))] }

// Labels returns the names of Requests, by index.
func (s *Scenario) Labels() []tally.Route {
	out := make([]tally.Route, len(s.Requests))
	for i, r := range s.Requests {
		out[i] = r.Label()
	}
	return out
}

// randomsPath is the route that draws.
const randomsPath = "/api/randoms"

// sitePaths need no session. There are five, which has no factor in common with the sum of weights of the
// site's servers (3), so that each page goes to all of them in their shares.
func sitePaths() []string { return []string{"/", "/login", "/info", "/signup", "/checkAuth"} }

// Builtin returns the scenario mix, site or randoms; cant is how many numbers a request to /api/randoms asks for.
func Builtin(name string, cant int) (*Scenario, error) {
	if !slices.Contains([]string{Mix, Site, Randoms}, name) {
		return nil, cli.Usagef("-scenario %q: accepted are %s, or the path of a YAML file",
			name, strings.Join(Names(), ", "))
	}
	var requests []attack.Request
	site := sitePaths()
	if name != Site {
		draw := attack.Get(fmt.Sprintf("%s?cant=%d", randomsPath, cant))
		draw.Weight, draw.Draws = len(site), int64(cant)
		requests = append(requests, draw)
	}
	if name != Randoms {
		for _, path := range site {
			requests = append(requests, attack.Get(path))
		}
	}
	return New(name, requests)
}

// maxSequence bounds the sum of weights, once their common divisor is taken out.
const maxSequence = 100_000

// interleave returns the order of one round. Request i, with the part p of all hits, is due once in each of
// the windows [k/p, (k+1)/p), widened to whole hits; of those whose window is open, the one whose window
// closes first is sent. No window is missed that way, so after any number of hits each request is within one
// of its part (proportionate fairness; Baruah et al., "Proportionate progress", Algorithmica 1996).
func interleave(weights []int) ([]int, error) {
	var divisor, sum int
	for _, w := range weights {
		if w < 0 {
			return nil, fmt.Errorf("weight %d: it must not be negative", w)
		}
		divisor = gcd(w, divisor)
	}
	if divisor == 0 {
		return nil, errors.New("no request has a weight above 0")
	}
	weights = slices.Clone(weights)
	for i := range weights {
		weights[i] /= divisor
		if sum = min(weights[i], maxSequence+1) + sum; sum > maxSequence {
			return nil, fmt.Errorf("the weights add up to more than %d", maxSequence)
		}
	}
	out := make([]int, sum)
	sent := make([]int, len(weights))
	for n := range out {
		best, closes := -1, 0
		for i, w := range weights {
			if w == 0 || sent[i]*sum/w > n {
				continue // never sent, or its window is not open yet
			}
			if end := ((sent[i]+1)*sum + w - 1) / w; best < 0 || end < closes {
				best, closes = i, end
			}
		}
		sent[best]++
		out[n] = best
	}
	return out, nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
