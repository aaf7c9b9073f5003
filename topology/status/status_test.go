package status

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/console"
	"balanceo/topology/balancer"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/supervise"
)

var update = flag.Bool("update", false, "rewrite golden files")

func ptr[T any](v T) *T { return &v }

func TestText(t *testing.T) {
	time.Local = time.UTC
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := &Snapshot{
		Layout: "seed", HTTPPort: 80, Dir: "/p/run/80", PID: 7, Started: start, At: start.Add(90*time.Minute + time.Second),
		Watch: "03:04:05 waits",
		Parts: []Part{
			{
				Name: "site1", Kind: fleet.Instance, Port: 8080, Mode: layout.Cluster, State: supervise.Ready, PID: 10,
				Workers: []int{11, 12, 13, 14, 15, 16}, Restarts: 1, Ended: ptr(3), Uptime: 75, CPU: ptr(1.5), RSS: ptr(int64(93_400_000)),
				Connections: ptr(12), Rate: ptr(133.333), Group: "node_app", Share: ptr(0.6667), Expected: ptr(2.0 / 3),
			},
			{
				Name: "site2", Kind: fleet.Instance, Port: 8081, Mode: layout.Fork, State: supervise.Failed, Workers: []int{},
				Restarts: 5, Reason: "exit status 1: no", Group: "node_app", Expected: ptr(1.0 / 3),
			},
			{Name: "serverA", Kind: fleet.Instance, Port: 8082, Mode: layout.Fork, State: supervise.Stopped, Delay: 0.2, Held: start.Add(time.Hour).In(time.Local)},
			{Name: "nginx", Kind: fleet.Balancer, Port: 80, State: supervise.Starting, PID: 20, Workers: []int{21}, Uptime: 0.2, CPU: ptr(0.0)},
			{Name: "database", Kind: fleet.Database, Port: 31234, State: supervise.Stopped, Workers: []int{}, Reason: "not shown"},
		},
	}
	for _, tt := range []struct {
		look Look
		file string
	}{
		{Look{}, "testdata/table.txt"},
		{Look{Colour: true}, "testdata/table_colour.txt"},
		{Look{Width: 80}, "testdata/table_80.txt"},
		{Look{Width: 60}, "testdata/table_60.txt"},
	} {
		var out bytes.Buffer
		if err := Text(&out, s, tt.look); err != nil {
			t.Fatal(err)
		}
		file := tt.file
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), out.String()); d != "" {
			t.Errorf("Text, %+v: -want +got\n%s", tt.look, d)
		}
		for line := range strings.Lines(out.String()) {
			if tt.look.Width > 0 && console.Columns(strings.TrimRight(line, "\n")) > tt.look.Width {
				t.Errorf("Text, %+v: %q is wider", tt.look, line)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59*time.Second + 999*time.Millisecond: "59s", 61 * time.Second: "1m01s",
		3 * time.Hour: "3h00m", 49*time.Hour + 5*time.Minute: "2d01h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v): got %q, want %q", d, got, want)
		}
	}
}

// serve answers as an instance that has counted n requests, and returns its port.
func serve(t *testing.T, n *int) int {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE balanceo_requests_total counter\nbalanceo_requests_total{route=\"/info\"} %d\nbalanceo_workers 1\n", *n)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A share is not told of a handful of requests, as the one that asks whether a new layout answers.
func TestFewRequests(t *testing.T) {
	for _, tt := range []struct {
		a, b int
		want string
	}{{1, 0, "- -"}, {6, 3, "- -"}, {7, 3, "0.70 0.30"}} {
		portA, portB := serve(t, &tt.a), serve(t, &tt.b)
		g := balancer.Group{Name: "g", Servers: []balancer.Server{{Addr: address(portA), Weight: 2}, {Addr: address(portB), Weight: 1}}}
		self := supervise.Status{State: supervise.Ready, PID: os.Getpid()}
		parts, err := NewCollector(func() []balancer.Group { return []balancer.Group{g} }).Collect(t.Context(), []fleet.Target{
			{Name: "a", Kind: fleet.Instance, Port: portA, Process: self}, {Name: "b", Kind: fleet.Instance, Port: portB, Process: self},
		}, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range parts {
			share := "-"
			if p.Share != nil {
				share = fmt.Sprintf("%.2f", *p.Share)
			}
			got = append(got, share)
		}
		if shown := strings.Join(got, " "); shown != tt.want || parts[0].Expected == nil {
			t.Errorf("after %d and %d requests: got shares %q, want %q", tt.a, tt.b, shown, tt.want)
		}
	}
}

func TestCollect(t *testing.T) {
	a, b := 30, 10
	portA, portB := serve(t, &a), serve(t, &b)
	group := balancer.Group{Name: "g", Servers: []balancer.Server{
		{Addr: fmt.Sprintf("127.0.0.1:%d", portA), Weight: 2}, {Addr: fmt.Sprintf("127.0.0.1:%d", portB), Weight: 1},
	}}
	self := supervise.Status{State: supervise.Ready, PID: os.Getpid(), Started: time.Now().Add(-time.Minute)}
	targets := []fleet.Target{
		{Name: "a", Kind: fleet.Instance, Port: portA, Mode: layout.Fork, Process: self},
		{Name: "b", Kind: fleet.Instance, Port: portB, Mode: layout.Fork, Process: self},
		{Name: "gone", Kind: fleet.Instance, Port: 1, Mode: layout.Cluster, Wanted: 3, Process: supervise.Status{State: supervise.Failed, Reason: "why"}},
	}
	c := NewCollector(func() []balancer.Group { return []balancer.Group{group} })
	before, err := c.Collect(t.Context(), targets, true)
	if err != nil {
		t.Fatal(err)
	}
	a += 1000
	parts, err := c.Collect(t.Context(), targets, false)
	if err != nil {
		t.Fatal(err)
	}
	p, q, gone := parts[0], parts[1], parts[2]
	if *p.Requests != 1030 || *p.Rate <= 0 || *q.Rate != 0 || p.Uptime < 60 || p.Uptime > 90 {
		t.Errorf("traffic: got a %v at %v/s up %v s, b at %v/s", *p.Requests, *p.Rate, p.Uptime, *q.Rate)
	}
	if p.Group != "g" || *p.Share != 1030.0/1040 || *p.Expected != 2.0/3 || *q.Share != 10.0/1040 {
		t.Errorf("shares: got %q %v of %v, and %v", p.Group, *p.Share, *p.Expected, *q.Share)
	}
	if gone.State != supervise.Failed || gone.Reason != "why" || gone.CPU != nil || gone.Requests != nil || gone.Wanted != 3 || gone.Workers == nil {
		t.Errorf("a failed part: got %+v", gone)
	}
	if _, err := procs.Connections(); err == nil && (before[2].Connections == nil || gone.Connections != nil) {
		t.Errorf("connections of who does not count them: got %v where sockets were asked for, %v where they were not", before[2].Connections, gone.Connections)
	}
}
