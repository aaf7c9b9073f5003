// Package promise finds out what is known beforehand of how a load will be shared: the configuration of the balancer at the
// target, and the layout that runs behind it if it is one of ours.
package promise

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

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/cli"
	"balanceo/topology/layout"
)

// Promise is what is known.
type Promise struct {
	Config *balancer.Config // nil: no configuration was found, so nothing is promised
	From   string           // where it was found, for people
	Layout *layout.State    // nil: no layout of ours

	given bool  // Config is from a file that was given
	pods  *pods // nil: the servers don't come and go

	observer *observer // nil: the balancer is not asked
}

// Find looks for the configuration: the file that is given, else that of the running layout whose balancer answers at
// target, a URL, else ./nginx.conf.
func Find(ctx context.Context, target, given string) (*Promise, error) {
	out := &Promise{}
	state, found, err := layout.FindByTarget(layout.DefaultRunDir(), target)
	if err != nil {
		return nil, fmt.Errorf("look for a running layout: %w", err)
	}
	if found {
		out.Layout = &state
	}
	switch {
	case given != "":
		out.given = true
		out.From = fmt.Sprintf("-nginx-conf %s", given)
		if filepath.Ext(given) == ".json" { // what topology says of a balancer that runs elsewhere
			out.Config, err = balancer.Load(given)
		} else {
			out.Config, err = read(given)
		}
	case found:
		out.From = fmt.Sprintf("%s of the running layout %s", nearby(state.NginxConf), state.Layout)
		out.Config, err = balancer.Load(state.Shares)
	default:
		out.From = "./nginx.conf"
		out.Config, err = nginx.Read("nginx.conf", "")
		if errors.Is(err, fs.ErrNotExist) {
			out.Config, out.From, err = nil, "", nil
		}
	}
	if err != nil {
		return nil, cli.Hint(err, "-nginx-conf names the configuration that the target's nginx reads")
	}
	if out.Config != nil && out.Config.Balancer == balancer.Service && out.Config.Ledger != "" {
		return out, out.findPods(ctx)
	}
	if out.Config != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // of looking up names
		defer cancel()
		out.Config.Resolve(ctx, nil)
	}
	return out, nil
}

// Now is the configuration with what has changed since it was found: the balancer of a layout can be told to share
// otherwise while it runs.
func (p *Promise) Now() (*balancer.Config, error) {
	if p.Layout == nil || p.given {
		return p.Config, nil
	}
	now, err := balancer.Load(p.Layout.Shares)
	if err != nil {
		return nil, err
	}
	if p.Config != nil && len(p.Config.Epochs) > 0 { // of a layout that was taken down and up again it knows only the latter
		last := p.Config.Epochs[len(p.Config.Epochs)-1]
		if !slices.ContainsFunc(now.Epochs, func(e balancer.Epoch) bool { return e.Began.Equal(last.Began) }) {
			now.Epochs = slices.Concat(p.Config.Epochs, now.Epochs)
		}
	}
	return now, nil
}

// Share is the promised share of the server at addr within the group; 0: none.
func (p *Promise) Share(group, addr string) float64 {
	if p.Config == nil {
		return 0
	}
	for _, g := range p.Config.Groups {
		if g.Name == group {
			return g.Share(addr)
		}
	}
	return 0
}

// Instance is the name of the instance of the running layout that serves addr; empty: unknown.
func (p *Promise) Instance(_, addr string) string {
	if p.Layout == nil {
		return ""
	}
	i := slices.IndexFunc(p.Layout.Instances, func(i layout.Instance) bool {
		return addr == fmt.Sprintf("127.0.0.1:%d", i.Port)
	})
	if i < 0 {
		return ""
	}
	return p.Layout.Instances[i].Name
}

// LayoutName is the name of the layout; empty: none of ours.
func (p *Promise) LayoutName() string {
	if p.Layout == nil {
		return ""
	}
	return p.Layout.Layout
}

// Database says which kind of database the layout uses; empty: not known.
func (p *Promise) Database() string {
	if p.Layout == nil {
		return ""
	}
	return p.Layout.Database
}

// Balancer names what shares the load of a layout of ours, and its version; empty: not known.
func (p *Promise) Balancer() string {
	if p.Layout == nil || p.Config == nil {
		return ""
	}
	return strings.TrimSpace(p.Config.Balancer + " " + p.Config.Version)
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
