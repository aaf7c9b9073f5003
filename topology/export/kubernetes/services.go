package kubernetes

import (
	"slices"

	"balanceo/topology/balancer"
)

// services are a Service for each group, which shares connections by chance: what Kubernetes does by itself.
func (e *exporter) services() error {
	files := map[string]*balancer.Config{}
	for _, g := range e.groups {
		labels := selects(server, "")
		labels[groupLabel(g.name)] = "true"
		e.add(service(meta(g.name, server, g.name), labels, frontServicePort, "http"))
		conf := &balancer.Config{Balancer: Service, File: "the Service " + g.name, Workers: 1, Ledger: e.ledgerURL()}
		named := balancer.Group{Name: byPod, Method: balancer.Random}
		for _, s := range g.Servers {
			if i := slices.IndexFunc(e.parts, func(p part) bool { return isServer(s, p) }); i >= 0 {
				named.Servers = append(named.Servers, balancer.Server{Addr: e.parts[i].addr(), Name: e.parts[i].name, Weight: 1})
			}
		}
		conf.Groups = []balancer.Group{named}
		files[g.name+".json"] = conf
	}
	return e.sharesMap(files)
}
