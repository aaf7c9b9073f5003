package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/reconcile"
	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/cli"
	"balanceo/topology/layout"
)

// promise is what is known beforehand of how the load will be shared: nginx's configuration, and the layout
// that runs behind the target if it is one of ours.
type promise struct {
	nginx *balancer.Config // nil: no configuration was found, so nothing is promised
	from  string           // where it was found, for people
	state *layout.State    // nil: no layout of ours
}

// findPromise looks for the configuration: -nginx-conf, else that of the running layout whose nginx is the
// target, else ./nginx.conf.
func (p *plan) findPromise(ctx context.Context) (*promise, error) {
	out := &promise{}
	state, found, err := layout.FindByTarget(layout.DefaultRunDir(), p.target.URL())
	if err != nil {
		return nil, fmt.Errorf("look for a running layout: %w", err)
	}
	if found {
		out.state = &state
	}
	switch {
	case p.nginxConf != "":
		out.from = fmt.Sprintf("-nginx-conf %s", p.nginxConf)
		out.nginx, err = nginx.Read(p.nginxConf, "")
	case found:
		out.from = fmt.Sprintf("%s of the running layout %s", nearby(state.NginxConf), state.Layout)
		out.nginx, err = balancer.Load(state.Shares)
	default:
		out.from = "./nginx.conf"
		out.nginx, err = nginx.Read("nginx.conf", "")
		if errors.Is(err, fs.ErrNotExist) {
			out.nginx, out.from, err = nil, "", nil
		}
	}
	if err != nil {
		return nil, cli.Hint(err, "-nginx-conf names the configuration that the target's nginx reads")
	}
	if out.nginx != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // of looking up names
		defer cancel()
		out.nginx.Resolve(ctx, nil)
	}
	return out, nil
}

// share is the promised share of the server at addr within the group; 0: none.
func (p *promise) share(group, addr string) float64 {
	if p.nginx == nil {
		return 0
	}
	for _, g := range p.nginx.Groups {
		if g.Name == group {
			return g.Share(addr)
		}
	}
	return 0
}

// instance is the name of the instance of the running layout that serves addr; empty: unknown.
func (p *promise) instance(_, addr string) string {
	if p.state == nil {
		return ""
	}
	i := slices.IndexFunc(p.state.Instances, func(i layout.Instance) bool {
		return addr == fmt.Sprintf("127.0.0.1:%d", i.Port)
	})
	if i < 0 {
		return ""
	}
	return p.state.Instances[i].Name
}

func (p *promise) layoutName() string {
	if p.state == nil {
		return ""
	}
	return p.state.Layout
}

func (p *promise) database() string {
	if p.state == nil {
		return ""
	}
	return p.state.Database
}

// balancer names what shares the load of a layout of ours, and its version; empty: not known.
func (p *promise) balancer() string {
	if p.state == nil || p.nginx == nil {
		return ""
	}
	return strings.TrimSpace(p.nginx.Balancer + " " + p.nginx.Version)
}

// watcher looks at the servers' side of a run.
type watcher struct {
	*promise
	plan  *plan
	uris  []string         // by the index of the request
	watch *reconcile.Watch // nil: only what the client saw is to be explained
}

// watch begins to look at the servers' side, just before the attack.
func (p *promise) watch(ctx context.Context, plan *plan, uris []string, agent string) *watcher {
	w := &watcher{promise: p, plan: plan, uris: uris}
	if !plan.step {
		w.watch = reconcile.Begin(ctx, reconcile.Config{
			Agent: agent, Warmup: plan.warmup, Nginx: p.nginx, State: p.state,
		})
	}
	return w
}

// explain sets what was measured against what was promised, and the client's counts against the servers'.
func (w *watcher) explain(ctx context.Context, m *measurement) {
	r := m.record
	in := distribution.Input{
		Nginx: w.nginx, Evidence: m.tally.Evidence(), Warmup: w.plan.warmup.Seconds(), URIs: w.uris,
	}
	if w.state != nil {
		in.Instances = w.state.Instances
	}
	if w.watch != nil {
		out := w.watch.Finish(ctx, m.tally.Counts(), m.outcome.Resent)
		r.Reconciliation, r.Servers = out.Reconciliation, out.Servers
		r.Warnings = append(r.Warnings, out.Warnings...)
		if w.nginx != nil && len(r.Groups) > 0 {
			r.Warnings = append(r.Warnings, out.Notes...)
		}
		in.Foreign, in.LogRead = out.Foreign, out.LogRead
	}
	distribution.Explain(r.Groups, in)
	for i := range r.Groups {
		if w.nginx != nil {
			r.Groups[i].Notes = append(r.Groups[i].Notes, "Expected shares are from "+w.from+".")
		}
	}
}

// nearby is path as a user in this folder would write it.
func nearby(path string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
