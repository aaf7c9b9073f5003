package status

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/counts"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/supervise"
)

// Collector takes snapshots. It remembers the last look, because CPU and rates are differences. It looks
// only when it is asked: a layout that nobody watches is not disturbed.
type Collector struct {
	groups func() []balancer.Group
	client *counts.Client

	mu   sync.Mutex
	last *look
}

// look is what was seen at one moment.
type look struct {
	at       time.Time
	cpu      map[int]time.Duration // by pid
	requests map[string]float64    // by instance
}

// Bounds of the time between two looks that make a rate.
const (
	shortest = 250 * time.Millisecond
	longest  = 5 * time.Second
)

// NewCollector makes a Collector for a layout whose balancer shares load over groups.
func NewCollector(groups func() []balancer.Group) *Collector {
	return &Collector{groups: groups, client: counts.NewClient(time.Second)}
}

// Collect looks at the targets now. Where the last look is too long ago, or none was taken, it looks twice. Only where
// sockets are asked for does it count the connections of parts that don't tell themselves: Linux looks through its whole
// table of sockets for that, which costs more than all else together.
func (c *Collector) Collect(ctx context.Context, targets []fleet.Target, sockets bool) ([]Part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || time.Since(c.last.at) > longest {
		if _, err := c.look(ctx, targets, sockets); err != nil {
			return nil, err
		}
	}
	if wait := shortest - time.Since(c.last.at); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return c.look(ctx, targets, sockets)
}

func (c *Collector) look(ctx context.Context, targets []fleet.Target, sockets bool) ([]Part, error) {
	var ready []string
	var leaders []int
	for _, t := range targets {
		leaders = append(leaders, t.Process.PID)
		if t.Kind == fleet.Instance && t.Process.State == supervise.Ready {
			ready = append(ready, address(t.Port))
		}
	}
	counted := c.client.Ask(ctx, ready)
	table, err := procs.Groups(leaders)
	if err != nil {
		return nil, err
	}
	var connections map[int]int
	if sockets {
		connections, _ = procs.Connections() // nil: not on this system
	}
	now := &look{at: time.Now(), cpu: map[int]time.Duration{}, requests: map[string]float64{}}
	parts := make([]Part, len(targets))
	for i, t := range targets {
		parts[i] = c.part(t, table, now)
		if n, ok := connections[t.Port]; ok || connections != nil {
			parts[i].Connections = &n
		}
		if n := counted[address(t.Port)]; n != nil && t.Kind == fleet.Instance {
			c.traffic(&parts[i], n, now)
		}
	}
	shares(parts, c.groups())
	c.last = now
	return parts, nil
}

// address is where an instance is asked, and how nginx.conf names it.
func address(port int) string { return net.JoinHostPort(fleet.Loopback, strconv.Itoa(port)) }

// part tells what supervision and process table know of t.
func (c *Collector) part(t fleet.Target, table procs.Table, now *look) Part {
	p := Part{
		Name: t.Name, Kind: t.Kind, Port: t.Port, Mode: t.Mode, Wanted: t.Wanted,
		State: t.Process.State, Reason: t.Process.Reason, PID: t.Process.PID, Restarts: t.Process.Restarts,
		Workers: []int{}, Delay: t.Delay.Seconds(), Held: t.Held,
	}
	if p.PID == 0 {
		return p
	}
	p.Uptime = now.at.Sub(t.Process.Started).Seconds()
	if t.Mode == layout.Cluster || t.Kind == fleet.Balancer {
		p.Workers = append(p.Workers, table.Children(p.PID)...)
	}
	var rss int64
	var used time.Duration
	for _, proc := range table.Group(p.PID) {
		rss += proc.RSS
		now.cpu[proc.PID] = proc.CPU
		if c.last == nil {
			continue
		}
		// A process that was not there at the last look has used all of its time since.
		used += proc.CPU - c.last.cpu[proc.PID]
	}
	p.RSS = &rss
	if c.last != nil {
		cpu := max(0, used.Seconds()/now.at.Sub(c.last.at).Seconds())
		p.CPU = &cpu
	}
	return p
}

// traffic tells what the instance itself counted.
func (c *Collector) traffic(p *Part, n *counts.Counts, now *look) {
	p.Requests, p.Connections = &n.Requests, &n.Connections
	for _, pid := range append([]int{p.PID}, p.Workers...) {
		if process, ok := n.Processes[pid]; ok {
			if p.Answered == nil {
				p.Answered = map[int]float64{}
			}
			p.Answered[pid] = process.Requests
		}
	}
	if p.Mode == layout.Cluster {
		ended := max(0, len(n.Processes)-n.Workers)
		p.Ended = &ended
	}
	now.requests[p.Name] = n.Requests
	if c.last == nil {
		return
	}
	if before, ok := c.last.requests[p.Name]; ok {
		rate := max(0, (n.Requests-before)/now.at.Sub(c.last.at).Seconds())
		p.Rate = &rate
	}
}

// fewest is how many requests of a group make shares of it: below that the one that asks whether a new layout answers would
// make "100 % of 66.7 %".
const fewest = 10

// shares compares the parts of one upstream group with each other.
func shares(parts []Part, groups []balancer.Group) {
	for _, g := range groups {
		var members []*Part
		total := 0.0
		for _, s := range g.Servers {
			for i := range parts {
				p := &parts[i]
				if p.Kind != fleet.Instance || s.Addr != address(p.Port) {
					continue
				}
				expected := g.Share(s.Addr)
				p.Group, p.Expected = g.Name, &expected
				members = append(members, p)
				if p.Requests != nil {
					total += *p.Requests
				}
			}
		}
		for _, p := range members {
			if p.Requests != nil && total >= fewest {
				share := *p.Requests / total
				p.Share = &share
			}
		}
	}
}
