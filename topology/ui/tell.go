package ui

import (
	"context"
	"slices"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/fleet"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// tell lets pages know what is new, four times a second, until ctx is done.
func (f *feed) tell(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		watched := f.hub.watched()
		var u update
		if !watched {
			f.forget()
		} else if due := f.due.Swap(false); due || n%lookEvery == 0 {
			f.look(ctx)
		}
		slow := n%slowEvery == 0
		if slow {
			load := f.load.status()
			u.Load = &load
		}
		if f.fill(&u, slow && watched); watched {
			f.hub.send(&u)
		}
	}
}

// look asks the layout how it is, and the client.
func (f *feed) look(ctx context.Context) {
	before := time.Now().UnixMilli()
	answered, ran := f.load.ask(ctx)
	after := time.Now().UnixMilli()
	s, err := f.cfg.Keeper.Status(ctx, false)
	conf, confErr := balancer.Load(f.cfg.State.Shares)
	f.mu.Lock()
	defer f.mu.Unlock()
	if confErr == nil {
		f.conf = conf
	}
	if err == nil {
		f.parts, f.looked = s.Parts, s.At.UnixMilli()
		f.pending = &look{parts: s.Parts, from: after, to: s.At.UnixMilli()}
		if ran {
			f.pending.client, f.pending.clientFrom = &answered, before
		}
	}
}

// forget drops what was seen of the layout, which nobody looks at now.
func (f *feed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts, f.verdicts, f.recent, f.agree, f.pending = nil, nil, nil, agreement{}, nil
}

// look is what servers and client had counted at some moment between from and to, in Unix milliseconds.
type look struct {
	parts      []status.Part
	from, to   int64
	client     *float64 // nil: none runs; asked between clientFrom and from
	clientFrom int64
}

// fill puts into u what is new, and once a second what changes slowly.
func (f *feed) fill(u *update, slow bool) {
	at := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Complete = f.counts.complete(at)
	u.Samples, f.samples = f.samples, nil
	u.Rows = f.counts.close(at)
	for _, m := range f.runs.ended(u.Complete) {
		f.mark(*m)
	}
	if u.Load != nil {
		u.Load.Elsewhere = f.runs.elsewhere()
	}
	u.Marks = slices.Clone(f.marks[f.told:])
	f.told = len(f.marks)
	members := map[string][]string{}
	for _, g := range f.conf.Groups {
		for _, s := range g.Servers {
			members[g.Name] = append(members[g.Name], s.Addr)
		}
	}
	u.Live = f.counts.latest(at, members, f.changed)
	rate := 0.0
	for _, n := range u.Live {
		rate += n.Rate
	}
	f.reconcile(u.Complete)
	if f.chance = 1; rate > shownRate {
		f.chance = shownRate / rate
	}
	u.OneOf = 1 / f.chance
	f.judge.advance(u.Complete)
	if !slow {
		return
	}
	end := u.Complete / 1000
	recent := f.counts.between(end-10, end)
	f.recent = &recent
	f.sentence(u.Complete)
	u.Recent, u.Verdicts, u.Agree = f.recent, f.verdicts, &f.agree
	u.Parts, u.Looked, u.Groups = f.parts, f.looked, f.groups()
}

func (f *feed) groups() []group {
	var out []group
	for _, g := range f.conf.Groups {
		o := group{Group: g}
		for _, s := range g.Servers {
			o.Instances = append(o.Instances, f.instance(s.Addr))
			o.Expected = append(o.Expected, g.Share(s.Addr))
		}
		out = append(out, o)
	}
	return out
}

// instance is the name of the instance at addr, else the address.
func (f *feed) instance(addr string) string {
	for _, in := range f.cfg.State.Instances {
		if addrOf(in.Port) == addr {
			return in.Name
		}
	}
	return addr
}

// sentence judges the groups.
func (f *feed) sentence(complete int64) {
	f.verdicts = nil
	for i := range f.conf.Groups {
		g := &f.conf.Groups[i]
		var out []string
		var unlogged int64
		for _, s := range g.Servers {
			for _, p := range f.parts {
				if p.Kind == fleet.Instance && addrOf(p.Port) == s.Addr && p.State != supervise.Ready {
					out = append(out, p.Name)
				}
			}
			unlogged += f.compare(s.Addr).most()
		}
		f.verdicts = append(f.verdicts, f.judge.verdict(f.conf, g, complete, out, unlogged))
	}
}

// reconcile compares the counts of the last look with the log, once that is known up to then.
func (f *feed) reconcile(complete int64) {
	l := f.pending
	if l == nil || l.to+slack > complete {
		return
	}
	f.pending, f.agree = nil, agreement{}
	for _, p := range l.parts {
		if p.Kind != fleet.Instance || p.Requests == nil {
			continue
		}
		c := f.compare(addrOf(p.Port))
		c.look(*p.Requests, l.from, l.to)
		if lo, hi, ok := c.difference(); ok {
			if f.agree.Servers == nil {
				f.agree.Servers = &span{}
			}
			f.agree.Servers.Lo += lo
			f.agree.Servers.Hi += hi
		}
	}
	if l.client != nil {
		f.client.look(*l.client, l.clientFrom, l.from)
		if lo, hi, ok := f.client.difference(); ok {
			f.agree.Client = &span{lo, hi}
		}
	}
}

// everything is what a page is told first.
func (f *feed) everything() *update {
	load := f.load.status()
	u := &update{Load: &load, Hello: &hello{
		Layout: f.cfg.State.Layout, HTTPPort: f.cfg.State.HTTPPort, Balancer: f.cfg.State.Balancer, Methods: methods(f.cfg.State.Balancer), Minutes: maxMinutes,
	}}
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Load.Elsewhere = f.runs.elsewhere()
	u.Complete, u.OneOf, u.Live = f.counts.complete(time.Now()), 1/f.chance, map[string]now{}
	u.Rows, u.Marks = f.counts.rows(), slices.Clone(f.marks[:f.told])
	u.Recent, u.Verdicts, u.Agree = f.recent, f.verdicts, &f.agree
	u.Parts, u.Looked, u.Groups = f.parts, f.looked, f.groups()
	return u
}
