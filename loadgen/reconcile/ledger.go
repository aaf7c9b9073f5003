package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/ledger"
)

// openLedger begins to read the log that a ledger keeps, if there is one.
func (w *Watch) openLedger(ctx context.Context) {
	if w.cfg.Nginx.AccessLog == "" {
		return
	}
	r, err := ledger.ReadLog(ctx, w.cfg.Nginx.Ledger)
	if err != nil {
		w.logErr = err
		return
	}
	w.log = remoteLog{r}
}

// countedByLedger is how many requests each server has told the ledger that it has answered.
func (w *Watch) countedByLedger(ctx context.Context) map[string]int64 {
	c, err := ledger.AskCounts(ctx, w.cfg.Nginx.Ledger)
	if err != nil || w.epoch != "" && w.epoch != c.Epoch {
		return nil // nobody tells, or what was told before is lost
	}
	w.epoch, w.ledger = c.Epoch, c
	out := map[string]int64{}
	for _, s := range named(w.cfg.Nginx) {
		n := int64(0) // one that has told nothing yet has counted nothing
		for _, p := range c.Instances[s.Name] {
			n += p.Requests
		}
		out[countedAs(w.cfg.Nginx, s)] = n
	}
	return out
}

// countedAs is what a server's count goes by: its address, as in the balancer's log; where there is none, its instance, of
// which pods come and go.
func countedAs(c *balancer.Config, s balancer.Server) string {
	if c.AccessLog == "" {
		return s.Name
	}
	return s.Addr
}

// named are the servers for which a ledger counts.
func named(c *balancer.Config) (out []balancer.Server) {
	for _, g := range c.Groups {
		for _, s := range g.Servers {
			if s.Name != "" && !slices.ContainsFunc(out, func(o balancer.Server) bool { return o.Addr == s.Addr }) {
				out = append(out, s)
			}
		}
	}
	return out
}

// gone finds the servers of which a process went without handing its count over, as when its node dies: what is
// missing there it may have answered. The texts are for people.
func (w *Watch) gone() (addrs map[string]bool, notes []string) {
	addrs = map[string]bool{}
	if w.ledger == nil {
		return addrs, nil
	}
	for _, s := range named(w.cfg.Nginx) {
		var who []string
		for name, p := range w.ledger.Instances[s.Name] {
			if !p.Ended && !w.ledger.Alive(p) && p.Heard.After(w.ledger.Now.Add(-time.Since(w.began))) {
				who = append(who, fmt.Sprintf("%s (last heard of at %s)", name, p.Heard.UTC().Format("15:04:05")))
			}
		}
		if counted := countedAs(w.cfg.Nginx, s); len(who) > 0 && !addrs[counted] {
			slices.Sort(who)
			addrs[counted] = true
			notes = append(notes, fmt.Sprintf("%s, of %s, ended without handing over what it had counted last.", strings.Join(who, ", "), s.Name))
		}
	}
	return addrs, notes
}
