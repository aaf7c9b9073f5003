package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/layout"
	"balanceo/topology/ports"
)

// foreign is an HTTP server that knows nothing of this project.
type foreign struct {
	*httptest.Server
	requests atomic.Int64
}

func newForeign(t *testing.T) *foreign {
	t.Helper()
	f := &foreign{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		fmt.Fprintln(w, "hello from", r.URL.Path)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *foreign) port() int { return f.Listener.Addr().(*net.TCPAddr).Port }

// startNginx runs nginx with conf, a file in a folder of its own, until the test is over.
func startNginx(t *testing.T, conf string, port int) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // which is not on everybody's PATH
	}
	cmd := exec.Command(path, "-p", filepath.Dir(conf), "-c", conf, "-e", "error.log", "-g", "daemon off;")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("nginx ended: %s", output.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// runLoadgen runs the command and returns its record, exit code, but for the generator's lag, and standard error.
func runLoadgen(t *testing.T, args ...string) (*run.Record, int, string) {
	t.Helper()
	cmd := exec.Command("loadgen", append(args, "-json", "-out", t.TempDir())...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var r run.Record
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("loadgen %q: %v\n%s", args, err, stderr.String())
	}
	return &r, butForLag(cmd.ProcessState.ExitCode(), stderr.String()), stderr.String()
}

// shares are the requests of each group's servers, in the order of ports.
func shares(r *run.Record, ports ...int) map[string][]int64 {
	out := map[string][]int64{}
	for _, g := range r.Groups {
		for _, port := range ports {
			for _, u := range g.Upstreams {
				if u.Addr == fmt.Sprintf("127.0.0.1:%d", port) {
					out[g.Name] = append(out[g.Name], u.Requests)
				}
			}
		}
	}
	return out
}

// TestForeignServers has the project's nginx.conf in front of six servers that are not the project's.
func TestForeignServers(t *testing.T) {
	port := freePort(t)
	move := balancer.Move{Listen: map[int]int{layout.HTTPPort: port}, Servers: map[int]int{}}
	var servers []*foreign
	var ports []int
	for i := range 6 {
		servers = append(servers, newForeign(t))
		ports = append(ports, servers[i].port())
		move.Servers[layout.BasePort+i] = ports[i]
	}
	conf := filepath.Join(t.TempDir(), "nginx.conf")
	if _, err := (nginx.Nginx{}).Write(&balancer.Site{Source: "../nginx.conf", Move: move}, conf); err != nil {
		t.Fatal(err)
	}
	startNginx(t, conf, port)
	r, code, stderr := runLoadgen(t, "-rate", "200", "-target", fmt.Sprintf(":%d", port), "-duration", "3s", "-warmup", "500ms",
		"-nginx-conf", conf, "-quiet", "-assert", "errors<0.1%", "-assert", "deviation<1")
	if code != 0 {
		t.Errorf("loadgen ended with %d: %s", code, stderr)
	}
	got := shares(r, ports...)
	for name, want := range map[string][]float64{"node_app": {200, 100}, "node_app_api": {75, 75, 75, 75}} {
		if len(got[name]) != len(want) {
			t.Fatalf("group %s: requests %v, want about %v", name, got[name], want)
		}
		for i, n := range got[name] {
			if float64(n) < want[i]-4 || float64(n) > want[i]+4 {
				t.Errorf("group %s: requests %v, want %v within 4", name, got[name], want)
			}
		}
	}
	for _, g := range r.Groups {
		if g.Verdict != run.Pass || len(g.Upstreams[0].Workers) != 0 {
			t.Errorf("group %s: verdict %s %v, workers %v, want pass and none", g.Name, g.Verdict, g.Reasons, g.Upstreams[0].Workers)
		}
	}
	var served int64
	for _, s := range servers {
		served += s.requests.Load()
	}
	// Asking these servers for /metrics is answered, with something that is none.
	if rec := r.Reconciliation; r.Requests != 600 || rec.Nginx == nil || *rec.Nginx != 600 || rec.Unexplained != 0 || served < 700 {
		t.Errorf("%d requests, reconciliation %+v, %d served", r.Requests, rec, served)
	}
	for _, route := range r.Routes {
		if draws := route.Draws != nil; draws != (route.Path == "/api/randoms") {
			t.Errorf("route %s: draws %v", route.Path, route.Draws)
		}
	}
}

// TestOwnNginx has somebody's own nginx.conf with weights 3:1:1, and then a server of it that stops.
func TestOwnNginx(t *testing.T) {
	port := freePort(t)
	servers := []*foreign{newForeign(t), newForeign(t), newForeign(t)}
	ports := []int{servers[0].port(), servers[1].port(), servers[2].port()}
	conf := filepath.Join(t.TempDir(), "own.conf")
	text := fmt.Sprintf(`pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    upstream three {
        zone three 64k;
        server 127.0.0.1:%d weight=3 max_fails=0;
        server 127.0.0.1:%d max_fails=0;
        server 127.0.0.1:%d max_fails=0;
    }
    server {
        listen 127.0.0.1:%d;
        add_header X-Upstream $upstream_addr always;
        add_header X-Upstream-Group $proxy_host always;
        location / { proxy_pass http://three; }
    }
}
`, ports[0], ports[1], ports[2], port)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	startNginx(t, conf, port)
	args := []string{
		"-rate", "100", "-target", fmt.Sprintf("http://127.0.0.1:%d", port), "-duration", "2s", "-warmup", "0s",
		"-scenario", "site", "-nginx-conf", conf, "-quiet",
	}
	r, code, stderr := runLoadgen(t, args...)
	if got := shares(r, ports...)["three"]; code != 0 || fmt.Sprint(got) != "[120 40 40]" || r.Groups[0].Verdict != run.Pass {
		t.Errorf("weights 3:1:1: exit %d, requests %v, want 0, [120 40 40]; %s %v", code, got, stderr, r.Groups)
	}

	// The server stops when it has seen five requests of the run, so the others get nearly all. It is tried in vain each time
	// that it is its turn.
	before := servers[1].requests.Load()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for servers[1].requests.Load() < before+5 {
			time.Sleep(time.Millisecond)
		}
		servers[1].CloseClientConnections()
		servers[1].Close()
	}()
	r, code, stderr = runLoadgen(t, args...)
	<-stopped
	g := r.Groups[0]
	away := false
	for _, u := range g.Upstreams {
		away = away || u.Addr == fmt.Sprintf("127.0.0.1:%d", ports[1]) && u.RetriedAway > 10
	}
	if want := fmt.Sprintf("127.0.0.1:%d refused or failed", ports[1]); g.Verdict != run.Pass || !away || !strings.Contains(strings.Join(g.Notes, " "), want) || r.Responses != 200 {
		t.Errorf("a server that stops: exit %d, %+v, %d responses; want pass, as its failed attempts explain the shares, and a note with %q: %s", code, g, r.Responses, want, stderr)
	}
}
