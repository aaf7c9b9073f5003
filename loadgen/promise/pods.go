package promise

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"balanceo/topology/balancer"
	"balanceo/topology/ledger"
)

// pods are the servers behind a Service of Kubernetes, which come and go: the ledger knows them.
type pods struct {
	groups []balancer.Group // as they were found, with the instances for servers
	first  map[string]string
}

// findPods replaces each instance behind a Service by its pods. Each of them gets an equal part of the connections.
func (p *Promise) findPods(ctx context.Context) error {
	counts, err := ledger.AskCounts(ctx, p.Config.Ledger)
	if err != nil {
		return err
	}
	p.pods = &pods{groups: p.Config.Groups, first: map[string]string{}}
	p.Config.Groups = nil
	for _, g := range p.pods.groups {
		servers := g.Servers
		g.Servers = nil
		for _, s := range servers {
			for name, process := range counts.Instances[s.Name] {
				if counts.Alive(process) {
					p.pods.first[name] = s.Name
					g.Servers = append(g.Servers, balancer.Server{Addr: name, Name: s.Name, Weight: 1})
				}
			}
		}
		slices.SortFunc(g.Servers, func(a, b balancer.Server) int { return strings.Compare(a.Addr, b.Addr) })
		g.Method = balancer.Random
		g.Promise = &balancer.Promise{Kind: balancer.Chance, Because: "kube-proxy draws a pod for each connection."}
		p.Config.Groups = append(p.Config.Groups, g)
	}
	return nil
}

// Follow finds out which pods came and went since the promise was found, where that may be: nothing is promised then,
// because connections that were open stay where they are.
func (p *Promise) Follow(ctx context.Context) error {
	if p.pods == nil {
		return nil
	}
	counts, err := ledger.AskCounts(ctx, p.Config.Ledger)
	if err != nil {
		return err
	}
	for i, g := range p.pods.groups {
		var came, went []string
		now := &p.Config.Groups[i]
		for _, s := range g.Servers {
			for name, process := range counts.Instances[s.Name] {
				_, known := p.pods.first[name]
				switch alive := counts.Alive(process); {
				case known && !alive:
					went = append(went, name)
				case !known && alive:
					came = append(came, name)
					now.Servers = append(now.Servers, balancer.Server{Addr: name, Name: s.Name, Weight: 1})
				}
			}
		}
		if len(came)+len(went) > 0 {
			now.Promise = &balancer.Promise{Kind: balancer.Nothing, Because: cameAndWent(came, went)}
		}
	}
	return nil
}

func cameAndWent(came, went []string) string {
	var parts []string
	for _, pods := range []struct {
		what  string
		names []string
	}{{"came", came}, {"went", went}} {
		if len(pods.names) > 0 {
			slices.Sort(pods.names)
			parts = append(parts, strings.Join(pods.names, ", ")+" "+pods.what)
		}
	}
	return fmt.Sprintf("While the load lasted %s. Connections that were open stay with their pod, so no equal shares can be expected.", strings.Join(parts, " and "))
}
