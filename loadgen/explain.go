package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/promise"
	"balanceo/loadgen/reconcile"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// watcher looks at the servers' side of a run.
type watcher struct {
	*promise.Promise
	plan  *plan
	uris  []string         // by the index of the request
	watch *reconcile.Watch // nil: only what the client saw is to be explained
}

// watch begins to look at the servers' side, just before the attack.
func (p *plan) watch(ctx context.Context, promised *promise.Promise, uris []string, agent string) *watcher {
	w := &watcher{Promise: promised, plan: p, uris: uris}
	if !p.step {
		w.watch = reconcile.Begin(ctx, reconcile.Config{
			Agent: agent, Warmup: p.warmup, Nginx: promised.Config, State: promised.Layout, Part: p.parts > 1,
		})
		promised.Observe(ctx)
	}
	return w
}

// explain sets what was measured against what was promised, and the client's counts against the servers'.
func (w *watcher) explain(ctx context.Context, m *measurement) {
	r := m.record
	in := distribution.Input{
		Balancer: w.Config, Evidence: m.tally.Evidence(), Began: m.outcome.Began, Warmup: w.plan.warmup, URIs: w.uris,
		Resent: m.outcome.Resent, Remote: w.plan.remote(),
	}
	if w.Layout != nil {
		in.Instances = w.Layout.Instances
	}
	if err := w.Follow(ctx); err != nil {
		r.Warnings = append(r.Warnings, "Whether servers came or went is not known: "+err.Error()+".")
	}
	now, said, err := w.Settle(ctx)
	if err == nil {
		in.Balancer = now
	}
	if w.watch != nil {
		out := w.watch.Finish(ctx, m.tally.Counts(), m.outcome.Resent)
		r.Reconciliation, r.Servers = out.Reconciliation, out.Servers
		r.Warnings = append(r.Warnings, out.Warnings...)
		if w.Config != nil && len(r.Groups) > 0 && w.plan.expected == nil {
			r.Warnings = append(r.Warnings, out.Notes...)
		}
		in.Foreign, in.LogRead, in.Restarted = out.Foreign, out.LogRead, out.Restarted
		r.Events = distribution.Restarts(in)
	}
	name := ""
	if w.Config != nil {
		name = w.Config.Balancer
	}
	r.Warnings = append(r.Warnings, notRead(w.Promise)...)
	r.Warnings = append(r.Warnings, atReload(in.Balancer, r.Errors, in.Began)...)
	r.Warnings = append(r.Warnings, unsigned(m.tally.Unsigned(), w.plan.by, name)...)
	distribution.Explain(r.Groups, in)
	for i := range r.Groups {
		if text := said[r.Groups[i].Name]; text != "" {
			r.Groups[i].Notes = append(r.Groups[i].Notes, text)
		}
		if w.Config != nil {
			r.Groups[i].Notes = append(r.Groups[i].Notes, "Expected shares are from "+w.From+".")
		}
	}
}

// notRead tells what of the balancer's configuration is not known and may say something about shares.
func notRead(p *promise.Promise) (out []string) {
	if p.Config == nil {
		return nil
	}
	for _, text := range p.Config.Warnings {
		out = append(out, "Of "+p.From+": "+text+".")
	}
	return out
}

// atReload tells that a reload of the balancer may be why connections were reset or closed.
func atReload(conf *balancer.Config, failed []run.ErrorCount, began time.Time) []string {
	if conf == nil || conf.AtReload == "" {
		return nil
	}
	var reset int64
	for _, e := range failed {
		if slices.Contains([]string{tally.Reset.String(), tally.EOF.String(), tally.ConnectFailed.String()}, e.Class) {
			reset += e.Count
		}
	}
	reloaded := slices.ContainsFunc(conf.Epochs, func(e balancer.Epoch) bool { return e.Began.After(began) })
	if reset == 0 || !reloaded {
		return nil
	}
	return []string{fmt.Sprintf("%d requests over connections that were reset or closed, and %s was reloaded during the run: %s.", reset, conf.Balancer, conf.AtReload)}
}

// remote tells whether the balancer is on another machine.
func (p *plan) remote() bool {
	host, _, err := net.SplitHostPort(p.target.Addr)
	return err != nil || !layout.IsLocal(host)
}
