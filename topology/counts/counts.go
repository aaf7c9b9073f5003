// Package counts asks instances what they have counted, at their /metrics. It owns how those metrics are read, for the table
// of a layout as for whoever loads it; package scoreboard writes them.
package counts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Counts is what an instance has counted, all of its processes together.
type Counts struct {
	Requests    float64         // answered, but for those that only look: /healthz and /metrics
	Upgrades    float64         // of these, those that became websockets
	Connections int             // open now
	Workers     int             // alive
	Processes   map[int]Process // by pid: each that has ever answered for the instance
}

// Process is one of those that answer for an instance. Of several that had one pid it is the last, with the requests of all.
type Process struct {
	Requests float64 // those that only look included
	Started  time.Time
	Alive    bool
}

// Names of the metrics that instances export.
const (
	metricRequests    = "balanceo_requests_total"
	metricConnections = "balanceo_open_connections"
	metricWorkers     = "balanceo_workers"
	metricProcesses   = "balanceo_worker_requests_total" // one sample a process, as of the next two
	metricStarted     = "balanceo_worker_start_time_seconds"
	metricAlive       = "balanceo_worker_up"
)

// errNotOurs is an answer that is no count of requests.
var errNotOurs = errors.New("no " + metricRequests + " at /metrics")

// Client asks instances.
type Client struct{ http *http.Client }

// NewClient makes a client that waits so long for each answer.
func NewClient(timeout time.Duration) *Client {
	return &Client{&http.Client{
		Timeout: timeout,
		// A connection kept open would count as an open connection of the instance, and pin to one worker.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Ask asks every address at once. Those that do not tell are missing from the result.
func (c *Client) Ask(ctx context.Context, addrs []string) map[string]*Counts {
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		out = map[string]*Counts{}
	)
	for _, addr := range addrs {
		wg.Go(func() {
			if n, err := c.ask(ctx, addr); err == nil {
				mu.Lock()
				out[addr] = n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return out
}

func (c *Client) ask(ctx context.Context, addr string) (*Counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	return read(io.LimitReader(resp.Body, 4<<20))
}

func read(r io.Reader) (*Counts, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("/metrics: %w", err)
	}
	// The family of requests is there once there was any, that of the workers from the start.
	if families[metricRequests] == nil && families[metricWorkers] == nil && families[metricProcesses] == nil {
		return nil, errNotOurs
	}
	c := &Counts{
		Connections: int(sum(families[metricConnections], nil)),
		Workers:     int(sum(families[metricWorkers], nil)),
		Processes:   processes(families),
	}
	c.Upgrades = sum(families[metricRequests], func(labels []*dto.LabelPair) bool {
		return slices.ContainsFunc(labels, func(l *dto.LabelPair) bool { return l.GetName() == "code" && l.GetValue() == "1xx" })
	})
	c.Requests = sum(families[metricRequests], func(labels []*dto.LabelPair) bool {
		for _, l := range labels {
			if l.GetName() == "route" && (l.GetValue() == "/healthz" || l.GetValue() == "/metrics") {
				return false
			}
		}
		return true
	})
	return c, nil
}

// processes are what the samples tell of each process. Pid 0 stands for those that ended long ago.
func processes(families map[string]*dto.MetricFamily) map[int]Process {
	started, alive := byPID(families[metricStarted]), byPID(families[metricAlive])
	out := map[int]Process{}
	for pid, requests := range byPID(families[metricProcesses]) {
		p := Process{Requests: requests, Alive: alive[pid] > 0}
		if s := started[pid]; s > 0 {
			p.Started = time.UnixMilli(int64(math.Round(s * 1e3)))
		}
		out[pid] = p
	}
	return out
}

// byPID are the values of the samples that have a pid.
func byPID(family *dto.MetricFamily) map[int]float64 {
	out := map[int]float64{}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			if pid, err := strconv.Atoi(l.GetValue()); err == nil && l.GetName() == "pid" {
				out[pid] = value(m)
			}
		}
	}
	return out
}

// value is that of a sample, of whichever kind.
func value(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
}

// sum adds up the samples that keep accepts; nil accepts all.
func sum(family *dto.MetricFamily, keep func([]*dto.LabelPair) bool) float64 {
	total := 0.0
	for _, m := range family.GetMetric() {
		if keep == nil || keep(m.GetLabel()) {
			total += value(m)
		}
	}
	return total
}
