package promise

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
)

// Methods are what Expected accepts.
const Methods = "random, roundrobin, hash, leastconn, none"

// Expected is what the user says of a balancer: 'a=2,b=1', its one group of servers with their shares in any unit, and how
// it chooses.
func Expected(text, method, group string) (*Promise, error) {
	g := balancer.Group{Name: group}
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		share, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(number, "%")), 64)
		if name == "" || err != nil || share < 0 || math.IsInf(share, 0) || math.IsNaN(share) {
			return nil, fmt.Errorf("%q: want NAME=SHARE, for example a=2", part)
		}
		if slices.ContainsFunc(g.Servers, func(s balancer.Server) bool { return s.Addr == name }) {
			return nil, fmt.Errorf("%q has two shares", name)
		}
		weight := math.Round(share * units(text))
		if share > 0 && (weight < 1 || weight > mostWeight) {
			return nil, fmt.Errorf("%q: want a share of up to three decimals from 0.001 to %d, or 0", part, mostWeight)
		}
		if share > 0 {
			g.Servers = append(g.Servers, balancer.Server{Addr: name, Weight: int(weight)})
		}
	}
	if len(g.Servers) == 0 {
		return nil, errors.New("no server has a share above 0")
	}
	switch method {
	case "random":
		g.Method = balancer.Random
		g.Promise = &balancer.Promise{Kind: balancer.Chance, Because: "Each request is drawn by the shares on its own (-method random)."}
	case "roundrobin":
		g.Method = balancer.RoundRobin
		g.Promise = &balancer.Promise{Kind: balancer.Exact, Within: rotation(g), Because: "A fixed rotation in which each server occurs as often as its share says (-method roundrobin)."}
	case "hash":
		g.Method = balancer.Hash
		g.Promise = &balancer.Promise{Kind: balancer.ByKey, Because: "Requests with the same key get the same server (-method hash)."}
	case "leastconn", "none":
		g.Method = balancer.Method(method)
		g.Promise = &balancer.Promise{Kind: balancer.Nothing, Because: "-method " + method + " promises no shares."}
	default:
		return nil, fmt.Errorf("method %q: want one of %s", method, Methods)
	}
	return &Promise{Config: &balancer.Config{File: "-expect", Groups: []balancer.Group{g}, Workers: 1}, From: "-expect " + text, given: true}, nil
}

// mostWeight is the greatest of a server: sums of a few thousand such are exact.
const mostWeight = 1_000_000_000

// units makes whole weights of shares with decimals.
func units(text string) float64 {
	if strings.Contains(text, ".") {
		return 1000
	}
	return 1
}

// rotation is how far a server's count may be off its share in a rotation of any order: the smooth one of nginx's bound, or
// with all turns of a server in a row.
func rotation(g balancer.Group) float64 {
	within := nginx.Within(len(g.Servers), 1)
	for _, s := range g.Servers {
		turns := float64(s.Weight) / float64(g.WeightUnit())
		within = max(within, turns*(1-g.Share(s.Addr)))
	}
	return within
}
