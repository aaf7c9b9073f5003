package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"balanceo/server/scoreboard"
	"balanceo/server/serve"
)

// answering collects the workers that answer, over connections of their own, until there are n.
func answering(t *testing.T, p *proc, n int) []int {
	t.Helper()
	var pids []int
	for range 2000 {
		res, _ := p.get("/healthz")
		pid, err := strconv.Atoi(res.Header.Get("X-Worker"))
		if err != nil {
			t.Fatalf("X-Worker of /healthz: %v", err)
		}
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
		if len(pids) == n {
			slices.Sort(pids)
			return pids
		}
	}
	t.Fatalf("2000 requests were answered by %v, want %d workers", pids, n)
	return nil
}

func TestEveryWorkerAnswers(t *testing.T) {
	t.Parallel()
	p := startServer(t, "-m", "CLUSTER", "-w", "3")
	children := p.workers()
	slices.Sort(children)
	if got := answering(t, p, 3); !slices.Equal(got, children) {
		t.Errorf("answers came from %v, the master's children are %v", got, children)
	}
	_, body := p.get("/info")
	for _, want := range []string{`"mode":"CLUSTER"`, `_entrada":["-m","CLUSTER","-w","3"]`} {
		if !strings.Contains(body, want) {
			t.Errorf("/info = %s, want %s in it", body, want)
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code after TERM = %d, want 0", code)
	}
	for _, pid := range children {
		if alive(pid) {
			t.Errorf("worker %d lives after its master's orderly end", pid)
		}
	}
}

func TestKilledWorkerIsReplacedAndStaysCounted(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--modo", "cluster", "-w", "2")
	const before = 40
	for range before {
		p.get("/info")
	}
	victim := p.workers()[0]
	begin := time.Now()
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new worker answers", func() bool {
		res, _ := p.get("/healthz")
		pid, _ := strconv.Atoi(res.Header.Get("X-Worker"))
		return pid != victim && slices.Contains(p.workers(), pid) && len(p.workers()) == 2 && !slices.Contains(p.workers(), victim)
	})
	t.Logf("replaced after %v", time.Since(begin))
	answering(t, p, 2)

	m := metrics(t, p)
	if got := m.total("balanceo_requests_total", "route", "/info"); got != before {
		t.Errorf("requests to /info = %v, want %d, those to the dead worker included", got, before)
	}
	if all, byWorker := m.total("balanceo_requests_total", "", ""), m.total("balanceo_worker_requests_total", "", ""); all != byWorker {
		t.Errorf("requests = %v, by worker = %v, want the same", all, byWorker)
	}
	if got := m.total("balanceo_workers", "", ""); got != 2 {
		t.Errorf("balanceo_workers = %v, want 2", got)
	}
}

// samples are the metrics of an instance.
type samples map[string][]sample

type sample struct {
	labels map[string]string
	value  float64
}

func metrics(t *testing.T, p *proc) samples {
	t.Helper()
	_, body := p.get("/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("/metrics: %v\n%s", err, body)
	}
	s := samples{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			one := sample{labels: map[string]string{}, value: m.GetCounter().GetValue() + m.GetGauge().GetValue()}
			for _, l := range m.GetLabel() {
				one.labels[l.GetName()] = l.GetValue()
			}
			s[name] = append(s[name], one)
		}
	}
	return s
}

// total sums up a metric where label has that value; everywhere if label is empty.
func (s samples) total(name, label, value string) (sum float64) {
	for _, one := range s[name] {
		if label == "" || one.labels[label] == value {
			sum += one.value
		}
	}
	return sum
}

func TestCountsSurviveTheInstance(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "scores")
	begin := func() *proc {
		cmd := command(t)
		cmd.Env = append(cmd.Env, "SCOREBOARD="+path)
		return startOn(t, listen(t), cmd)
	}
	p := begin()
	p.get("/api/randoms?cant=7")
	p.signal(syscall.SIGKILL)
	p.end()
	p = begin()
	p.get("/api/randoms?cant=8")
	m := metrics(t, p)
	if got := m.total("balanceo_requests_total", "route", "/api/randoms"); got != 2 {
		t.Errorf("requests to /api/randoms = %v, want 2, one before kill -9 and one after", got)
	}
	if got := m.total("balanceo_draws_total", "", ""); got != 15 {
		t.Errorf("balanceo_draws_total = %v, want 15", got)
	}
}

func TestNoWorkerOutlivesItsMaster(t *testing.T) {
	t.Parallel()
	p := startServer(t, "-m", "CLUSTER", "-w", "3")
	workers := p.workers()
	if len(workers) != 3 {
		t.Fatalf("workers = %v, want 3", workers)
	}
	begin := time.Now()
	p.signal(syscall.SIGKILL)
	p.end()
	eventually(t, "the end of all workers", func() bool { return !slices.ContainsFunc(workers, alive) })
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the workers ended %v after their master, want at most 2s", took)
	}
}

func TestNumberOfWorkersChanges(t *testing.T) {
	t.Parallel()
	p := startServer(t, "-m", "CLUSTER", "-w", "1")
	first := p.workers()[0]
	p.signal(syscall.SIGTTIN)
	eventually(t, "two workers", func() bool { return len(p.workers()) == 2 })
	answering(t, p, 2)
	for range 2 { // the last one stays
		p.signal(syscall.SIGTTOU)
		eventually(t, "one worker", func() bool { return slices.Equal(p.workers(), []int{first}) })
	}
	answering(t, p, 1)
}

func TestWorkersThatCannotStartEndTheMaster(t *testing.T) {
	t.Parallel()
	cmd := command(t, "-p", "0", "-m", "CLUSTER", "-w", "2")
	cmd.Env = append(cmd.Env, "MONGO_URL=mongodb://127.0.0.1/?tls=true&tlsCAFile=nosuch.pem")
	p := run1(t, cmd, "")
	code := p.end()
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	if last := lines[len(lines)-1]; code != 1 || !strings.HasPrefix(last, "server: no worker can be started") ||
		!strings.Contains(last, "nosuch.pem") {
		t.Errorf("exit code %d, last line %q; want 1 and the reason", code, last)
	}
}

func TestHangUpReplacesEveryWorker(t *testing.T) {
	t.Parallel()
	p := startServer(t, "-m", "CLUSTER", "-w", "2")
	front := startNginx(t, p.addr)
	load := startLoad(t, "http://"+front)
	for range 3 {
		before := p.workers()
		p.signal(syscall.SIGHUP)
		eventually(t, "two new workers", func() bool {
			now := p.workers()
			return len(now) == 2 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
		})
	}
	n := load.stop()
	if n < 100 {
		t.Errorf("only %d requests were sent meanwhile", n)
	}
	t.Logf("%d requests through three times two new workers", n)
}

// load sends GETs and POSTs without pause over kept connections, several at a time.
type load struct {
	t       *testing.T
	quit    chan struct{}
	senders sync.WaitGroup
	mu      sync.Mutex
	sent    int
	failed  []string
}

func startLoad(t *testing.T, url string) *load {
	t.Helper()
	l := &load{t: t, quit: make(chan struct{})}
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 32},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	for i := range 8 {
		l.senders.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.quit:
					return
				default:
				}
				method, path, want := http.MethodGet, "/info", 200
				if (i+n)%2 == 0 { // nginx does not repeat a POST; a route without that method does for one
					method, path, want = http.MethodPost, "/info", 404
				}
				res, _, err := ask(client, method, url+path)
				switch {
				case err != nil:
					l.fail(method + " " + path + ": " + err.Error())
				case res.StatusCode != want:
					l.fail(method + " " + path + ": " + res.Status)
				}
				l.mu.Lock()
				l.sent++
				l.mu.Unlock()
				time.Sleep(time.Duration(n%5) * time.Millisecond) // connections fall idle in between
			}
		})
	}
	return l
}

func (l *load) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, what)
}

// stop ends the load, reports what was lost and returns how many requests were sent.
func (l *load) stop() int {
	l.t.Helper()
	close(l.quit)
	l.senders.Wait()
	if len(l.failed) > 0 {
		l.t.Errorf("%d of %d requests were lost, the first: %s", len(l.failed), l.sent, l.failed[0])
	}
	return l.sent
}

func TestForkIsReplacedOnItsListener(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	p := startOn(t, ln, command(t))
	front := startNginx(t, ln.Addr().String())
	load := startLoad(t, "http://"+front)
	for range 4 {
		next := startOn(t, ln, command(t))
		p.signal(syscall.SIGTERM)
		if code := p.end(); code != 0 {
			t.Errorf("exit code of the old process = %d, want 0; log:\n%s", code, p.log)
		}
		p = next
	}
	t.Logf("%d requests through four new processes", load.stop())
}

// startNginx starts an nginx of the test's own before one upstream, with the settings of the real one.
func startNginx(t *testing.T, upstream string) (addr string) {
	t.Helper()
	dir := t.TempDir()
	ln := listen(t)
	addr = ln.Addr().String()
	_ = ln.Close()
	conf := `
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 512; }
http {
    client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
    access_log off;
    upstream app { server ` + upstream + ` max_fails=0; keepalive 64; }
    server {
        listen ` + addr + `;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
`
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := nginxCommand(dir)
	p := run1(t, cmd, addr)
	eventually(t, "nginx answers", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("nginx ended: %v", p.err)
		default:
		}
		_, _, err := ask(http.DefaultClient, http.MethodGet, "http://"+addr+"/healthz")
		return err == nil
	})
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx's error.log:\n%s", text)
		}
	})
	return addr
}

func nginxCommand(dir string) *exec.Cmd {
	cmd := exec.Command("nginx", "-p", dir+"/", "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func TestClusterRefusesWhileItDrains(t *testing.T) {
	t.Parallel()
	p := run1(t, command(t, "-p", "0", "-m", "CLUSTER", "-w", "1", "--test-delay", "2s"), "")
	eventually(t, "the master serves", func() bool { return strings.Contains(p.log.String(), "workers=1") })
	_, rest, _ := strings.Cut(p.log.String(), "address=")
	p.addr, _, _ = strings.Cut(rest, " ")
	answered := make(chan error, 1)
	go func() {
		res, _, err := ask(http.DefaultClient, http.MethodGet, "http://"+p.addr+"/info")
		if err == nil && res.StatusCode != http.StatusOK {
			err = errors.New(res.Status)
		}
		answered <- err
	}()
	time.Sleep(200 * time.Millisecond) // in the middle of the answer
	p.signal(syscall.SIGTERM)
	eventually(t, "connections are refused", func() bool {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			_ = conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	select {
	case err := <-answered:
		t.Errorf("the answer came before connections were refused: %v", err)
	default:
	}
	if err := <-answered; err != nil {
		t.Errorf("the request from before TERM: %v", err)
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit code = %d, want 0", code)
	}
}

// The number of workers is a value: whatever drains at the time, and however often it is told.
func TestWantedWorkersAreAValue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "scores")
	cmd := command(t, "-m", "CLUSTER", "-w", "4")
	cmd.Env = append(cmd.Env, "SCOREBOARD="+path)
	p := startOn(t, listen(t), cmd)
	answering(t, p, 4)
	scale := func(n int) {
		if err := scoreboard.SetWorkers(path, n); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGUSR1)
	}
	// A connection in use keeps each worker that has one from ending for a while.
	for range 8 {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12")); err != nil {
			t.Fatal(err)
		}
	}
	scale(3)
	settled := func(n int) func() bool {
		return func() bool {
			wanted, ready, err := scoreboard.Workers(path)
			return err == nil && wanted == n && ready == n
		}
	}
	eventually(t, "three wanted and ready", settled(3))
	scale(3) // as somebody does who sees four children
	eventually(t, "the end of the fourth", func() bool { return len(p.workers()) == 3 })
	if !settled(3)() {
		t.Error("not three workers any more once the fourth has drained")
	}
	p.signal(syscall.SIGTTIN)
	eventually(t, "four again", func() bool { return len(p.workers()) == 4 })
}

func TestDelayOfAnInstance(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "scores")
	cmd := command(t, "-m", "CLUSTER", "-w", "2")
	cmd.Env = append(cmd.Env, "SCOREBOARD="+path)
	p := startOn(t, listen(t), cmd)
	took := func(route string) time.Duration {
		begin := time.Now()
		p.get(route)
		return time.Since(begin)
	}
	const delay = 600 * time.Millisecond
	if err := scoreboard.SetDelay(path, delay); err != nil {
		t.Fatal(err)
	}
	for range 4 { // whichever worker answers
		if got := took("/info"); got < delay {
			t.Errorf("/info took %v, want at least %v", got, delay)
		}
	}
	for _, route := range []string{"/healthz", "/metrics"} {
		quickest := took(route)
		for range 9 {
			quickest = min(quickest, took(route))
		}
		if quickest >= delay {
			t.Errorf("%s took %v, want no delay", route, quickest)
		}
	}
	if err := scoreboard.SetDelay(path, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no delay any more", func() bool { return took("/info") < delay })
}

func TestFrozenWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "scores")
	cmd := command(t, "-m", "CLUSTER", "-w", "2")
	cmd.Env = append(cmd.Env, "SCOREBOARD="+path)
	p := startOn(t, listen(t), cmd)
	frozen := p.workers()[0]
	if err := scoreboard.Spare(path, time.Now().Add(serve.Silence+2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(frozen, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, "another worker in its place", func() bool {
		now := p.workers()
		return len(now) == 2 && !slices.Contains(now, frozen)
	})
	if took := time.Since(begin); took < serve.Silence+2*time.Second {
		t.Errorf("a worker that was frozen on purpose was replaced after %v", took)
	}
	if !strings.Contains(p.log.String(), "a worker does not answer and is ended") {
		t.Errorf("the log does not tell of the worker:\n%s", p.log)
	}
	answering(t, p, 2)
}
