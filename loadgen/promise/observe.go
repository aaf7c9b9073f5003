package promise

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/known"
)

// A balancer that can be asked for its state takes servers out and puts them back by itself, or by somebody's word over
// its socket, and neither is in its configuration. It is asked while a load lasts, and what it says is expected.

// askPeriod is how often it is asked.
const askPeriod = 100 * time.Millisecond

// unsteady is how soon after each other a weight changes where it rises slowly, as after a server's start.
const unsteady = 5 * time.Second

// observed is a state that a balancer said to be in, from some time after from and at the latest from at on.
type observed struct {
	from, at time.Time
	state    balancer.State
}

// observer asks a balancer until it is stopped.
type observer struct {
	balancer balancer.Balancer
	site     *balancer.Site
	stop     context.CancelFunc
	done     sync.WaitGroup
	seen     []observed // what has changed, oldest first; read after the end
}

// Observe begins to ask the balancer of a layout of ours. Settle ends it.
func (p *Promise) Observe(ctx context.Context) {
	if p.Layout == nil || p.given || p.Config == nil {
		return
	}
	b, err := known.Named(p.Layout.Balancer)
	if err != nil {
		return
	}
	o := &observer{balancer: b, site: &balancer.Site{Dir: p.Layout.NginxDir}}
	if state, err := b.Ask(ctx, o.site); err == nil {
		now := time.Now()
		o.seen = []observed{{now, now, state}}
		ctx, o.stop = context.WithCancel(context.WithoutCancel(ctx))
		o.done.Go(func() { o.ask(ctx) })
		p.observer = o
	}
}

func (o *observer) ask(ctx context.Context) {
	tick := time.NewTicker(askPeriod)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		state, err := o.balancer.Ask(ctx, o.site)
		if err != nil {
			continue // it is being replaced; last stays
		}
		if !alike(state, o.seen[len(o.seen)-1].state) {
			o.seen = append(o.seen, observed{last, time.Now(), state})
		}
		last = asked
	}
}

// alike tells whether two states share load alike.
func alike(a, b balancer.State) bool {
	flat := func(state balancer.State) (out []string) {
		for group, servers := range state {
			for _, s := range servers {
				out = append(out, fmt.Sprint(group, s.Addr, s.Weight, s.Up))
			}
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(flat(a), flat(b))
}

// Settle ends to observe and returns the configuration as Now does, with what the balancer itself has changed, and a
// sentence about that for each group.
func (p *Promise) Settle(ctx context.Context) (conf *balancer.Config, said map[string]string, err error) {
	conf, err = p.Now()
	o := p.observer
	if o == nil {
		return conf, nil, err
	}
	o.stop()
	o.done.Wait()
	p.observer = nil
	if err != nil {
		return nil, nil, err
	}
	return conf, o.complete(ctx, conf), nil
}

// step is a time at which a configuration or a state came into force.
type step struct {
	began, done time.Time
	groups      []balancer.Group // nil: they stay
	state       balancer.State   // nil: it stays
}

// steps are what came into force, in that order.
func (o *observer) steps(conf *balancer.Config) []step {
	var steps []step
	for _, e := range conf.Epochs {
		if !e.Done.IsZero() {
			steps = append(steps, step{began: e.Began, done: e.Done, groups: e.Groups})
		}
	}
	for _, s := range o.seen {
		steps = append(steps, step{began: s.from, done: s.at, state: s.state})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.done.UnixNano(), b.done.UnixNano()) })
	return steps
}

// complete puts the states among the epochs of a configuration.
func (o *observer) complete(ctx context.Context, conf *balancer.Config) (said map[string]string) {
	said = map[string]string{}
	steps := o.steps(conf)
	groups, state, before := conf.Groups, balancer.State(nil), ""
	if len(conf.Epochs) > 0 {
		groups = conf.Epochs[0].Groups
	}
	tried := map[string]*balancer.Promise{}
	conf.Epochs = nil
	for i := 0; i < len(steps); i++ {
		now := steps[i]
		reload := now.groups != nil || len(conf.Epochs) == 0
		take := func(s step) {
			if s.groups != nil {
				groups, reload = s.groups, true
			}
			if s.state != nil {
				state = s.state
			}
		}
		take(now)
		for i+1 < len(steps) && !steps[i+1].began.After(now.done) { // they are one change
			i++
			take(steps[i])
			now.done = steps[i].done
		}
		in, others := inForce(groups, state)
		text := strings.TrimLeft(strings.Join(others, "; "), "; ") // empty: as configured
		for i := range in {
			if others[i] == "" {
				continue
			}
			if said[in[i].Name] == "" {
				said[in[i].Name] = fmt.Sprintf("%s itself said, when it was asked, that %s.", o.balancer.Name(), others[i])
			}
		}
		if text == before && !reload {
			continue
		}
		if n := len(conf.Epochs); n > 0 && text != "" && before != "" && !reload && now.began.Sub(conf.Epochs[n-1].Done) < unsteady {
			o.changing(&conf.Epochs[n-1], in)
			before = text
			continue
		}
		before = text
		for k := range in {
			o.promise(ctx, conf, &in[k], tried)
		}
		conf.Epochs = append(conf.Epochs, balancer.Epoch{Began: now.began, Done: now.done, Groups: in})
	}
	if n := len(conf.Epochs); n > 0 {
		conf.Groups = conf.Epochs[n-1].Groups
	}
	return said
}

// inForce are the groups as the balancer says that they are. What it says otherwise than its configuration is in the
// texts, one for each group; the promise of such a group is missing.
func inForce(groups []balancer.Group, state balancer.State) (in []balancer.Group, texts []string) {
	in, texts = slices.Clone(groups), make([]string, len(groups))
	for i := range in {
		g := &in[i]
		g.Servers = slices.Clone(g.Servers)
		var others []string
		same := proportional(g.Servers, state[g.Name])
		for j := range g.Servers {
			s := &g.Servers[j]
			k := slices.IndexFunc(state[g.Name], func(said balancer.ServerState) bool { return said.Addr == s.Addr })
			if k < 0 || !s.Active() {
				continue
			}
			switch said := state[g.Name][k]; {
			case !said.Up || said.Weight == 0:
				s.Down, s.Failed = true, true
				others = append(others, s.Addr+" is out")
			case !same && said.Weight != s.Weight:
				others = append(others, fmt.Sprintf("%s has the weight %d and not %d", s.Addr, said.Weight, s.Weight))
				s.Weight = said.Weight
			}
		}
		if len(others) > 0 {
			g.Promise = nil
			texts[i] = strings.Join(others, ", ")
		}
	}
	return in, texts
}

// proportional tells whether the servers that get something have the weights that are configured, or a part of each.
func proportional(servers []balancer.Server, state []balancer.ServerState) bool {
	var first *balancer.ServerState
	weight := 0
	for _, s := range servers {
		k := slices.IndexFunc(state, func(said balancer.ServerState) bool { return said.Addr == s.Addr && said.Up && said.Weight > 0 })
		switch {
		case k < 0 || !s.Active():
		case first == nil:
			first, weight = &state[k], s.Weight
		case state[k].Weight*weight != s.Weight*first.Weight:
			return false
		}
	}
	return true
}

// promise finds out what is promised of a group that is not as configured. The balancer's program is tried where it has
// to be.
func (o *observer) promise(ctx context.Context, conf *balancer.Config, g *balancer.Group, tried map[string]*balancer.Promise) {
	if g.Promise != nil {
		return
	}
	key := fmt.Sprint(g.Name, g.Method, g.Args, g.Servers)
	if p, ok := tried[key]; ok {
		g.Promise = p
		return
	}
	site := *o.site
	for _, name := range o.balancer.Programs() {
		if found, err := exec.LookPath(name); err == nil && site.Program == "" {
			site.Program = found
		}
	}
	one := *conf
	one.Groups = []balancer.Group{*g}
	var err error
	if site.Program == "" {
		err = fmt.Errorf("there is no %s here", o.balancer.Name())
	} else {
		err = o.balancer.Promise(ctx, &site, &one)
	}
	if g.Promise = one.Groups[0].Promise; err != nil || g.Promise == nil {
		g.Promise = &balancer.Promise{Kind: balancer.Nothing, Because: fmt.Sprintf("%s changed who shares the load by itself, and it could not be tried what it does then: %v.", o.balancer.Name(), err)}
	}
	tried[key] = g.Promise
}

// changing says of an epoch that weights changed in it all the time.
func (o *observer) changing(e *balancer.Epoch, next []balancer.Group) {
	for i := range e.Groups {
		g := &e.Groups[i]
		if i < len(next) && !slices.Equal(g.Servers, next[i].Servers) {
			g.Promise = &balancer.Promise{Kind: balancer.Nothing, Because: o.balancer.Name() + " itself said that it changed who shares the load, or by how much, again and again, as after the start of a server."}
		}
	}
}
