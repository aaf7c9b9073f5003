package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"balanceo/server/scoreboard"
	"balanceo/topology/balancer"
)

// longestDelay is beyond what anybody waits for.
const longestDelay = time.Minute

// slow makes an instance answer later, for as long as the layout runs or until it is told otherwise.
func (f *Fleet) slow(_ context.Context, a Action, progress Progress) error {
	p, err := f.one(a)
	if err != nil {
		return err
	}
	if p.kind != Instance {
		return fmt.Errorf("%s is no instance: only these can be slowed", p.name)
	}
	d := time.Duration(a.Delay)
	if d < 0 || d > longestDelay {
		return fmt.Errorf("slow %s by %v: accepted are 0 to %v", p.name, d, longestDelay)
	}
	if err := scoreboard.SetDelay(f.scoreboard(p), d); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.delay.Store(int64(d))
	if d == 0 {
		progress(p.name + " answers without delay")
		return nil
	}
	progress(fmt.Sprintf("%s answers %v later", p.name, d))
	return nil
}

// changeShares gives a group of the balancer another method or other weights.
func (f *Fleet) changeShares(ctx context.Context, a Action, progress Progress) error {
	var names []string
	var found *balancer.Group
	for _, g := range f.Groups() {
		names = append(names, g.Name)
		if g.Name == a.Group {
			found = &g
		}
	}
	switch {
	case found == nil:
		return fmt.Errorf("%q is no group of servers; accepted are %s", a.Group, strings.Join(names, ", "))
	case a.Verb == Weights && len(a.Weights) != len(found.Servers):
		return fmt.Errorf("weights %s: %s has %d servers, so that %d numbers are accepted", FormatWeights(a.Weights), a.Group, len(found.Servers), len(found.Servers))
	case a.Verb == Balance && a.Method == "":
		return fmt.Errorf("balance %s: no method is given", a.Group)
	}
	change := balancer.Change{Method: a.Method, Weights: a.Weights}
	if err := f.changeGroup(ctx, a.Group, change); err != nil {
		return err
	}
	for _, g := range f.Groups() {
		if g.Name == a.Group {
			weights := make([]int, len(g.Servers))
			for i, s := range g.Servers {
				weights[i] = s.Weight
			}
			progress(fmt.Sprintf("%s: %s, weights %s", g.Name, g.Method, FormatWeights(weights)))
		}
	}
	return nil
}
