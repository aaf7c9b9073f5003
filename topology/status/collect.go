package status

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"balanceo/topology/balancer"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/supervise"
)

// Collector takes snapshots. It remembers the last look, because CPU and rates are differences. It looks
// only when it is asked: a layout that nobody watches is not disturbed.
type Collector struct {
	groups func() []balancer.Group
	client *http.Client

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
	return &Collector{groups: groups, client: &http.Client{
		Timeout: time.Second,
		// A connection kept open would count as an open connection of the instance, and pin to one worker.
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// Collect looks at the targets now. Where the last look is too long ago, or none was taken, it looks twice.
func (c *Collector) Collect(ctx context.Context, targets []fleet.Target) ([]Part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || time.Since(c.last.at) > longest {
		if _, err := c.look(ctx, targets); err != nil {
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
	return c.look(ctx, targets)
}

func (c *Collector) look(ctx context.Context, targets []fleet.Target) ([]Part, error) {
	metrics := c.scrape(ctx, targets)
	table, err := procs.Read()
	if err != nil {
		return nil, err
	}
	connections, err := procs.Connections()
	if err != nil {
		connections = nil // not on this system
	}
	now := &look{at: time.Now(), cpu: map[int]time.Duration{}, requests: map[string]float64{}}
	parts := make([]Part, len(targets))
	for i, t := range targets {
		parts[i] = c.part(t, table, now)
		if n, ok := connections[t.Port]; ok || connections != nil {
			parts[i].Connections = &n
		}
		if m := metrics[i]; m != nil {
			c.traffic(&parts[i], m, now)
		}
	}
	shares(parts, c.groups())
	c.last = now
	return parts, nil
}

// part tells what supervision and process table know of t.
func (c *Collector) part(t fleet.Target, table procs.Table, now *look) Part {
	p := Part{
		Name: t.Name, Kind: t.Kind, Port: t.Port, Mode: t.Mode, Wanted: t.Wanted,
		State: t.Process.State, Reason: t.Process.Reason, PID: t.Process.PID, Restarts: t.Process.Restarts,
		Workers: []int{}, Delay: t.Delay.Seconds(),
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
func (c *Collector) traffic(p *Part, m *counts, now *look) {
	p.Requests, p.Connections = &m.requests, &m.connections
	for _, pid := range append([]int{p.PID}, p.Workers...) {
		if n, ok := m.byPID[pid]; ok {
			if p.Answered == nil {
				p.Answered = map[int]float64{}
			}
			p.Answered[pid] = n
		}
	}
	if p.Mode == layout.Cluster {
		ended := max(0, m.processes-m.workers)
		p.Ended = &ended
	}
	now.requests[p.Name] = m.requests
	if c.last == nil {
		return
	}
	if before, ok := c.last.requests[p.Name]; ok {
		rate := max(0, (m.requests-before)/now.at.Sub(c.last.at).Seconds())
		p.Rate = &rate
	}
}

// shares compares the parts of one upstream group with each other.
func shares(parts []Part, groups []balancer.Group) {
	for _, g := range groups {
		var members []*Part
		total := 0.0
		for _, s := range g.Servers {
			for i := range parts {
				p := &parts[i]
				if p.Kind != fleet.Instance || s.Addr != "127.0.0.1:"+strconv.Itoa(p.Port) {
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
			if p.Requests != nil && total > 0 {
				share := *p.Requests / total
				p.Share = &share
			}
		}
	}
}

// counts is what an instance's /metrics tells.
type counts struct {
	requests    float64
	connections int
	workers     int // alive
	processes   int // that have ever answered for the instance
	byPID       map[int]float64
}

// scrape asks every instance that is ready, all at once. One that does not answer has nil.
func (c *Collector) scrape(ctx context.Context, targets []fleet.Target) []*counts {
	out := make([]*counts, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		if t.Kind != fleet.Instance || t.Process.State != supervise.Ready {
			continue
		}
		wg.Go(func() {
			if m, err := c.ask(ctx, t.Port); err == nil {
				out[i] = m
			}
		})
	}
	wg.Wait()
	return out
}

func (c *Collector) ask(ctx context.Context, port int) (*counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", port), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics of port %d: %s", port, resp.Status)
	}
	return readCounts(io.LimitReader(resp.Body, 4<<20))
}

// Names of the metrics that instances export.
const (
	metricRequests    = "balanceo_requests_total"
	metricConnections = "balanceo_open_connections"
	metricWorkers     = "balanceo_workers"
	metricProcesses   = "balanceo_worker_requests_total" // one sample a process
)

func readCounts(r io.Reader) (*counts, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if families[metricRequests] == nil && families[metricWorkers] == nil {
		return nil, fmt.Errorf("metrics: neither %s nor %s", metricRequests, metricWorkers)
	}
	m := &counts{
		connections: int(sum(families[metricConnections], nil)),
		workers:     int(sum(families[metricWorkers], nil)),
		processes:   len(families[metricProcesses].GetMetric()),
		byPID:       byPID(families[metricProcesses]),
	}
	// Those who look at the instance are no traffic.
	m.requests = sum(families[metricRequests], func(labels []*dto.LabelPair) bool {
		for _, l := range labels {
			if l.GetName() == "route" && (l.GetValue() == "/healthz" || l.GetValue() == "/metrics") {
				return false
			}
		}
		return true
	})
	return m, nil
}

// byPID are the samples that tell of one process each.
func byPID(family *dto.MetricFamily) map[int]float64 {
	out := map[int]float64{}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			if pid, err := strconv.Atoi(l.GetValue()); err == nil && l.GetName() == "pid" {
				out[pid] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// sum adds up the samples that keep accepts; nil accepts all.
func sum(family *dto.MetricFamily, keep func([]*dto.LabelPair) bool) float64 {
	total := 0.0
	for _, m := range family.GetMetric() {
		if keep == nil || keep(m.GetLabel()) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return total
}
