package distribution

import (
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
)

// promised judges a group by what its balancer has promised of it.
func (in *Input) promised(g *run.Group, conf *balancer.Group, e tally.Evidence) {
	switch conf.Promise.Kind {
	case balancer.Exact:
		in.roundRobin(g, conf, e)
	case balancer.Chance:
		in.random(g)
	case balancer.ByKey, balancer.Nothing:
		if conf.Method == balancer.Hash {
			in.hash(g, e)
		} else {
			in.noPromise(g, conf.Promise.Because)
		}
	}
	if conf.Promise.Warning != "" {
		g.Notes = append(g.Notes, conf.Promise.Warning)
	}
}
