package reconcile

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/distribution"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/tally"
	"balanceo/results/report"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/ports"
)

// backend is an HTTP server of the standard library.
type backend struct {
	*httptest.Server
	answered atomic.Int64
	ours     bool // has /metrics as our servers do
	process  atomic.Pointer[process]
}

// process is what a backend says that it is. What was answered before is not among its counts.
type process struct {
	pid    int
	began  time.Time
	before int64
}

// restart ends all connections, and another process counts from now on, from 0.
func (b *backend) restart() {
	b.CloseClientConnections()
	b.process.Store(&process{pid: b.process.Load().pid + 1, began: time.Now(), before: b.answered.Load()})
}

func (b *backend) addr() string { return b.Listener.Addr().String() }

func newBackend(t *testing.T, ours bool, handler http.HandlerFunc) *backend {
	t.Helper()
	b := &backend{ours: ours}
	b.process.Store(&process{pid: 100, began: time.Now().Add(-time.Hour)})
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ours && r.URL.Path == "/metrics" {
			p := b.process.Load()
			fmt.Fprintf(w, "# TYPE balanceo_requests_total counter\n")
			fmt.Fprintf(w, "balanceo_requests_total{route=\"/healthz\",method=\"GET\",code=\"2xx\"} 77\n")
			fmt.Fprintf(w, "balanceo_requests_total{route=\"other\",method=\"GET\",code=\"2xx\"} %d\n", b.answered.Load()-p.before)
			fmt.Fprintf(w, "balanceo_worker_requests_total{pid=\"%d\"} %d\n", p.pid, b.answered.Load()-p.before)
			fmt.Fprintf(w, "balanceo_worker_start_time_seconds{pid=\"%d\"} %.3f\n", p.pid, float64(p.began.UnixMilli())/1e3)
			fmt.Fprintf(w, "balanceo_worker_up{pid=\"%d\"} 1\n", p.pid)
			return
		}
		if handler != nil {
			handler(w, r)
		} else {
			_, _ = w.Write([]byte("hello\n"))
		}
		b.answered.Add(1)
	}))
	t.Cleanup(b.Close)
	return b
}

func backends(t *testing.T, n int, ours bool, handler http.HandlerFunc) []*backend {
	t.Helper()
	out := make([]*backend, n)
	for i := range out {
		out[i] = newBackend(t, ours, handler)
	}
	return out
}

// noZone is round robin whose state each worker process of nginx has for itself.
const noZone = "# no zone"

// upstream is an upstream block; the weights belong to the servers in order.
func upstream(name, method string, servers []*backend, weights ...int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "upstream %s {\n %s\n", name, method)
	if method != noZone {
		fmt.Fprintf(&b, " zone %s 64k;\n", name)
	}
	for i, s := range servers {
		weight := 1
		if i < len(weights) {
			weight = weights[i]
		}
		fmt.Fprintf(&b, " server %s weight=%d max_fails=0;\n", s.addr(), weight)
	}
	b.WriteString(" keepalive 16;\n}\n")
	return b.String()
}

// logFormat is the log_format of the project's nginx.conf, so that this tests the one that is used.
func logFormat(t *testing.T) string {
	t.Helper()
	conf, err := os.ReadFile("../../nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(conf), "log_format json")
	format, _, ok2 := strings.Cut(rest, ";")
	if !ok || !ok2 {
		t.Fatal("nginx.conf has no log_format json")
	}
	return "log_format json" + format + ";"
}

// startNginx runs a real nginx in front of the groups; requests to /api go to the last of them, all others
// to the first. It returns the configuration as loadgen reads it.
func startNginx(t *testing.T, upstreams ...string) (*balancer.Config, attack.Target) {
	t.Helper()
	return startLogging(t, logFormat(t)+" access_log access.log json buffer=64k flush=1s;", upstreams...)
}

// startLogging runs one that logs otherwise.
func startLogging(t *testing.T, log string, upstreams ...string) (*balancer.Config, attack.Target) {
	t.Helper()
	dir := t.TempDir()
	names := make([]string, len(upstreams))
	for i, u := range upstreams {
		names[i] = strings.Fields(u)[1]
	}
	for attempt := 0; ; attempt++ {
		port, err := ports.Free()
		if err != nil {
			t.Fatal(err)
		}
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		conf := filepath.Join(dir, "nginx.conf")
		text := `worker_processes 2; pid nginx.pid; error_log error.log warn; events { worker_connections 512; }
http {
 client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
 ` + log + `
 ` + strings.Join(upstreams, "\n") + `
 server {
  listen ` + addr + `;
  proxy_http_version 1.1; proxy_set_header Connection "";
  add_header X-Upstream $upstream_addr always; add_header X-Upstream-Group $proxy_host always;
  location /api { proxy_pass http://` + names[len(names)-1] + `; }
  location / { proxy_pass http://` + names[0] + `; }
 }
}`
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := tryNginx(t, dir, conf, addr); err != nil {
			if attempt < 3 {
				continue // the port was taken meanwhile
			}
			t.Fatal(err)
		}
		n, err := nginx.Read(conf, dir)
		if err != nil {
			t.Fatal(err)
		}
		target, err := attack.ParseTarget(addr)
		if err != nil {
			t.Fatal(err)
		}
		return n, target
	}
}

func tryNginx(t *testing.T, dir, conf, addr string) error {
	t.Helper()
	errorLog := filepath.Join(dir, "error.log")
	cmd := exec.Command("nginx", "-p", dir, "-c", conf, "-e", errorLog, "-g", "daemon off;")
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-ended:
			text, _ := os.ReadFile(errorLog)
			return fmt.Errorf("nginx: %w\n%s", err, text)
		default:
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Cleanup(stop)
			return nil
		}
	}
	stop()
	return fmt.Errorf("nginx does not listen on %s", addr)
}

// load is an attack of a test.
type load struct {
	nginx    *balancer.Config // what loadgen believes; the target's may differ
	target   attack.Target
	paths    []string
	rate     float64
	warmup   time.Duration
	duration time.Duration
	timeout  time.Duration
	during   func() // runs beside the attack, once its first hit has ended
}

// trigger runs a function at the first hit.
type trigger struct {
	*tally.Tally
	once *sync.Once
	do   func()
}

func (s trigger) Add(h *tally.Hit) {
	s.once.Do(s.do)
	s.Tally.Add(h)
}

// attack carries the load out and explains it as loadgen does.
func (l load) attack(t *testing.T) (*run.Record, Outcome) {
	t.Helper()
	requests := make([]attack.Request, len(l.paths))
	for i, p := range l.paths {
		requests[i] = attack.Get(p)
	}
	s, err := scenario.New("test", requests)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	agent := "loadgen/" + run.NewID(time.Now())
	counts := tally.New(tally.Config{Warmup: l.warmup, Routes: len(requests)})
	var wg sync.WaitGroup
	sink := trigger{counts, &sync.Once{}, func() {
		if l.during != nil {
			wg.Go(l.during)
		}
	}}
	watch := Begin(ctx, Config{Agent: agent, Warmup: l.warmup, Nginx: l.nginx})
	outcome, err := attack.Run(ctx, attack.Config{
		Target: l.target, Requests: requests, At: s.At, Schedule: pace.NewSchedule(pace.Constant(l.rate), l.warmup, l.duration),
		Workers: 32, RequestID: "run", Timeout: max(l.timeout, 100*time.Millisecond), UserAgent: agent, Sink: func() attack.Sink { return sink }, Drain: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	out := watch.Finish(ctx, counts.Counts(), outcome.Resent)
	r := &run.Record{
		Schema: run.Schema, ID: "test", Scenario: "test", Target: l.target.URL(), RequestedRate: l.rate,
		Duration: outcome.Measured.Seconds(), Generator: run.Generator{SendRatio: 1}, Reconciliation: out.Reconciliation,
	}
	if err := counts.Fill(r, s.Labels(), outcome.Measured); err != nil {
		t.Fatal(err)
	}
	in := distribution.Input{
		Balancer: l.nginx, Evidence: counts.Evidence(), Foreign: out.Foreign, LogRead: out.LogRead, Restarted: out.Restarted,
		Began: outcome.Began, Warmup: l.warmup, URIs: l.paths,
	}
	r.Events = distribution.Restarts(in)
	distribution.Explain(r.Groups, in)
	return r, out
}

// text is the terminal report of r; it is checked to fit.
func text(t *testing.T, r *run.Record) string {
	t.Helper()
	var b strings.Builder
	if err := report.Text(&b, r, report.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func uris(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("/page/%d?x=%d", i, i*7919)
	}
	return out
}
