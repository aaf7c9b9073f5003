package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// A layout from up to down, with everything that can be done to it in between.
func TestLayout(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	begun := time.Now()
	out := l.mustUp()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("up -d took %v, want less than 10s", took)
	}
	for _, want := range []string{"site1", "CLUSTER", "ready", "nginx", "database", "loadgen -rate 200 -target :" + strconv.Itoa(l.http)} {
		if !strings.Contains(out, want) {
			t.Errorf("up -d: %q is missing in %s", want, out)
		}
	}
	s := l.status()
	wantModes := map[string]layout.Mode{
		"site1": layout.Cluster, "site2": layout.Fork, "serverA": layout.Fork, "serverB": layout.Fork,
		"serverC": layout.Cluster, "serverD": layout.Cluster, "nginx": "", "database": "",
	}
	if len(s.Parts) != len(wantModes) || !allReady(s) || s.HTTPPort != l.http {
		t.Fatalf("status: got %+v, want %d parts, all ready", s, len(wantModes))
	}
	for i, p := range s.Parts {
		workers := 0
		if p.Mode == layout.Cluster {
			workers = runtime.NumCPU()
		}
		if p.Mode != wantModes[p.Name] || p.Kind == fleet.Instance && (p.Port != l.base+i || len(p.Workers) != workers) ||
			p.RSS == nil || *p.RSS < 1<<20 || p.CPU == nil || p.Restarts != 0 {
			t.Errorf("status of %s: got %+v, want mode %q, %d workers, memory and CPU", p.Name, p, wantModes[p.Name], workers)
		}
	}
	if code, err := l.get("/info"); code != http.StatusOK || err != nil {
		t.Errorf("GET /info through nginx: got %d, %v", code, err)
	}

	t.Run("a second up changes nothing", func(t *testing.T) {
		if out := l.mustUp(); !strings.Contains(out, "runs on :"+strconv.Itoa(l.http)+" already") {
			t.Errorf("up -d again: got %s", out)
		}
		if again := l.status(); fmt.Sprint(pids(again)) != fmt.Sprint(pids(s)) {
			t.Errorf("processes after up -d again: got %v, want %v", pids(again), pids(s))
		}
		already := fmt.Sprintf("topology: layout seed runs on :%d already, as pid %d\nhint: ", l.http, s.PID)
		if out, code := l.tryUp("--layout", "fork"); code != 1 || !strings.HasPrefix(out, already) {
			t.Errorf("up of another layout: code %d, %s, want only the error", code, out)
		}
		out, code := l.topology("run", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base), "--", "true")
		if code != 1 || !strings.Contains(out, already) || strings.Contains(out, "taken down") {
			t.Errorf("run beside a layout: code %d, %s", code, out)
		}
		out, code = l.topology("up", "-d", "--http-port", "1", "--base-port", strconv.Itoa(l.base))
		if code != 1 || !strings.Contains(out, fmt.Sprintf("port %d belongs to layout seed, which runs on :%d", l.base, l.http)) {
			t.Errorf("up on instance ports of a running layout: code %d, %s", code, out)
		}
	})
	t.Run("names", func(t *testing.T) {
		for _, args := range [][]string{{"reload", "nosuch"}, {"kill", "nosuch"}, {"logs", "nosuch"}, {"scale", "nosuch", "2"}} {
			out, code := l.topology(args...)
			if code != 2 || !strings.Contains(out, `"nosuch" is no part of layout seed; accepted are site1, site2,`) {
				t.Errorf("topology %v: code %d, %s", args, code, out)
			}
		}
		if out, code := l.topology("status", "--http-port", "1"); code != 1 || !strings.Contains(out, "layouts run on "+strconv.Itoa(l.http)) {
			t.Errorf("status of another port: code %d, %s", code, out)
		}
	})
	t.Run("scale", func(t *testing.T) { testScale(t, l) })
	t.Run("kill", func(t *testing.T) { testKill(t, l) })
	t.Run("nginx", func(t *testing.T) { testNginx(t, l) })
	t.Run("restart", func(t *testing.T) { testRestart(t, l) })
	t.Run("shares", func(t *testing.T) { testShares(t, l) })
	t.Run("for a time", func(t *testing.T) { testForATime(t, l) })
	t.Run("logs", func(t *testing.T) {
		out := l.must("logs", "-n", "1000")
		for _, want := range []string{" site1 ", " serverA ", " database ", " topology ", "serving"} {
			if !strings.Contains(out, want) {
				t.Errorf("logs: %q is missing in %s", want, out)
			}
		}
		if out := l.must("logs", "site2"); strings.Contains(out, "serverA") || !strings.Contains(out, "site2") {
			t.Errorf("logs site2: got %s", out)
		}
	})

	s = l.status()
	if out := l.must("down"); !strings.Contains(out, "layout seed on :"+strconv.Itoa(l.http)+" is down") {
		t.Errorf("down: got %s", out)
	}
	l.gone(s, 0)
	if out := l.must("down"); !strings.Contains(out, "Nothing to take down") {
		t.Errorf("down again: got %s", out)
	}
}

func testScale(t *testing.T, l *lab) {
	for _, n := range []int{4, 1} {
		l.must("scale", "serverC", strconv.Itoa(n))
		if p := part(t, l.status(), "serverC"); len(p.Workers) != n || p.Wanted != n {
			t.Errorf("scale serverC %d: got workers %v, wanted %d", n, p.Workers, p.Wanted)
		}
	}
	if out, code := l.topology("scale", "site1", "500"); code != 2 || !strings.Contains(out, "scale: 500 workers; accepted are 1 to 256") {
		t.Errorf("scale site1 500: code %d, %s", code, out)
	}
	l.must("scale", "serverC", "4")
	for range 8 { // requests that never come whole: whichever worker has one drains for as long as it may
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(part(t, l.status(), "serverC").Port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")); err != nil {
			t.Fatal(err)
		}
	}
	l.must("scale", "serverC", "3")
	if p := part(t, l.status(), "serverC"); len(p.Workers) != 3 {
		t.Errorf("scale serverC 3 while a worker drains: got workers %v", p.Workers)
	}
	l.must("scale", "serverC", "1")
	l.must("restart", "serverC")
	if p := part(t, l.status(), "serverC"); len(p.Workers) != 1 {
		t.Errorf("serverC after scale 1 and restart: got workers %v", p.Workers)
	}
	if out, code := l.topology("scale", "site2", "2"); code != 1 || !strings.Contains(out, "site2 is no CLUSTER instance") {
		t.Errorf("scale of a FORK instance: code %d, %s", code, out)
	}
}

func testKill(t *testing.T, l *lab) {
	// A worker: its master starts another; a port names the instance.
	before := part(t, l.status(), "site1")
	if out, code := l.topology("kill", strconv.Itoa(l.base), "--worker", "1"); code != 1 || !strings.Contains(out, "no worker with pid 1; it has ") {
		t.Errorf("kill of a foreign worker: code %d, %s", code, out)
	}
	l.must("kill", strconv.Itoa(l.base), "--worker", strconv.Itoa(before.Workers[0]), "--signal", "KILL")
	l.eventually("the worker is replaced", func(s *status.Snapshot) bool {
		p := part(t, s, "site1")
		return p.PID == before.PID && len(p.Workers) == len(before.Workers) && p.Workers[0] != before.Workers[0]
	})
	// An instance and nginx: topology starts them again.
	for _, name := range []string{"site2", "nginx"} {
		before := part(t, l.status(), name)
		l.must("kill", name)
		after := l.eventually(name+" is started again", func(s *status.Snapshot) bool {
			p := part(t, s, name)
			return p.State == supervise.Ready && p.PID != before.PID
		})
		if p := part(t, after, name); p.Restarts != before.Restarts+1 {
			t.Errorf("restarts of %s: got %d, want %d", name, p.Restarts, before.Restarts+1)
		}
		for _, pid := range append(before.Workers, before.PID) {
			if lives(pid) {
				t.Errorf("pid %d of the %s that was killed still lives", pid, name)
			}
		}
		if code, err := l.get("/info"); code != http.StatusOK || err != nil {
			t.Errorf("GET /info after kill %s: got %d, %v", name, code, err)
		}
	}
}

func testNginx(t *testing.T, l *lab) {
	conf, err := os.ReadFile(filepath.Join(l.dir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	expected := func() float64 { return *part(t, l.status(), "site1").Expected }
	if got := expected(); got != 2.0/3 {
		t.Errorf("expected share of site1: got %v, want 2/3", got)
	}
	l.write("nginx.conf", strings.Replace(string(conf), "weight=2", "weight=4", 1))
	if out := l.must("reload", "nginx"); !strings.Contains(out, "nginx reloaded") || expected() != 0.8 {
		t.Errorf("reload nginx with weight 4: got %s, expected share %v, want 0.8", out, expected())
	}
	l.write("nginx.conf", strings.Replace(string(conf), "weight=2", "weight=5", 1))
	if out := l.must("restart", "nginx"); !strings.Contains(out, "nginx restarted") || expected() != 5.0/6 {
		t.Errorf("restart nginx with weight 5: got %s, expected share %v, want 5/6", out, expected())
	}
	l.write("nginx.conf", strings.Replace(string(conf), "weight=2", "weight=4", 1))
	l.must("reload", "nginx")
	l.write("nginx.conf", strings.Replace(string(conf), "keepalive 64;", "keepalive no;", 1))
	out, code := l.topology("reload", "nginx")
	if code != 1 || !strings.Contains(out, "keepalive") || expected() != 0.8 {
		t.Errorf("reload nginx with a broken configuration: code %d, %s, expected share %v", code, out, expected())
	}
	if code, err := l.get("/info"); code != http.StatusOK || err != nil {
		t.Errorf("GET after the broken configuration: got %d, %v", code, err)
	}
	l.write("nginx.conf", string(conf))
}

// Method, weights and members of a group change while it runs, and the expected shares with them.
func testShares(t *testing.T, l *lab) {
	expected := func(name string) float64 { return *part(t, l.status(), name).Expected }
	if out := l.must("weights", "node_app", "3,1"); !strings.Contains(out, "node_app: round_robin, weights 3,1") || expected("site1") != 0.75 {
		t.Errorf("weights node_app 3,1: got %s, expected share %v", out, expected("site1"))
	}
	if out := l.must("balance", "node_app", "least_conn"); !strings.Contains(out, "node_app: least_conn, weights 3,1") {
		t.Errorf("balance node_app least_conn: got %s", out)
	}
	l.must("down", "serverB")
	if got := [2]float64{expected("serverA"), expected("serverB")}; got != [2]float64{1.0 / 3, 0} {
		t.Errorf("expected shares of serverA and serverB after down serverB: %v", got)
	}
	l.must("restart", "serverB")
	l.must("balance", "node_app", "round_robin")
	l.must("weights", "node_app", "2,1")
	if got := expected("serverB"); got != 0.25 {
		t.Errorf("expected share of serverB after restart: %v", got)
	}
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"weights nosuch 1,2", 1, `"nosuch" is no group of servers; accepted are node_app, node_app_api`},
		{"weights node_app 1,2,3", 1, "weights 1,2,3: node_app has 2 servers, so that 2 numbers are accepted"},
		{"weights node_app 1,x", 2, `"1,x" is given; whole numbers from 1 to 65535 are accepted`},
		{"balance node_app nosuch", 1, "nosuch"},
		{"slow nginx 1s", 1, "nginx is no instance"},
		{"slow site1 soon", 2, `"soon" is given; a time is accepted`},
		{"kill site1 --for soon", 2, `--for: "soon" is given; a time is accepted`},
		{"kill site1 --for 1s --signal HUP", 1, "SIGHUP for a time: accepted are KILL,"},
	} {
		if out, code := l.topology(strings.Fields(tt.args)...); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: code %d, %s, want %d and %q", tt.args, code, out, tt.code, tt.want)
		}
	}
	l.must("slow", "serverC", "200ms")
	if p := part(t, l.status(), "serverC"); p.Delay != 0.2 {
		t.Errorf("serverC after slow: got a delay of %v", p.Delay)
	}
	l.must("slow", "serverC", "0")
}

// What is killed or frozen for a time comes back by itself, and every action is an event with who did it.
func testForATime(t *testing.T, l *lab) {
	before := l.status()
	l.must("kill", "serverB", "--for", "1s")
	if p := part(t, l.status(), "serverB"); p.State != supervise.Stopped || p.PID != 0 {
		t.Errorf("serverB, killed for 1s: got %s, pid %d", p.State, p.PID)
	}
	after := l.eventually("serverB is back", func(s *status.Snapshot) bool { return part(t, s, "serverB").State == supervise.Ready })
	if p := part(t, after, "serverB"); p.PID == part(t, before, "serverB").PID {
		t.Errorf("serverB has pid %d again", p.PID)
	}
	l.must("kill", "serverA", "--signal", "STOP", "--for", "300ms")
	l.eventually("serverA is thawed", func(s *status.Snapshot) bool {
		return strings.Contains(fmt.Sprint(s.Events), "thawed after 300ms") && part(t, s, "serverA").State == supervise.Ready
	})
	l.must("kill", "serverA", "--for", "1h")
	l.must("restart", "serverA") // who acts on it ends that
	last := 0
	var acted []string
	for _, e := range l.status().Events {
		if e.Number != last+1 && last != 0 {
			t.Errorf("event %d comes after %d", e.Number, last)
		}
		if last = e.Number; e.Kind == fleet.EventAction && e.By == "command line" {
			acted = append(acted, e.Text)
		}
	}
	want := []string{"kill serverB --for 1s", "kill serverA --signal STOP --for 300ms", "kill serverA --for 1h0m0s", "restart serverA"}
	if got := acted[max(0, len(acted)-len(want)):]; !slices.Equal(got, want) {
		t.Errorf("actions: got %q, want %q last", got, want)
	}
}

func testRestart(t *testing.T, l *lab) {
	before := l.status()
	l.must("restart")
	after := l.status()
	for _, p := range after.Parts {
		old := part(t, before, p.Name)
		if same := p.PID == old.PID; same != (p.Kind == fleet.Database) || p.State != supervise.Ready {
			t.Errorf("restart of all: %s had pid %d, has %d, is %s", p.Name, old.PID, p.PID, p.State)
		}
	}
	// One instance down while the others run on; restart brings it back.
	l.must("down", "serverB")
	if p := part(t, l.status(), "serverB"); p.State != supervise.Stopped || p.PID != 0 {
		t.Errorf("down serverB: got %s, pid %d", p.State, p.PID)
	}
	if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", l.base+3), time.Second); err == nil {
		_ = c.Close()
		t.Error("the port of serverB accepts connections after down serverB")
	}
	if code, err := l.get("/api/randoms?cant=10"); code != http.StatusOK || err != nil {
		t.Errorf("GET /api/randoms without serverB: got %d, %v", code, err)
	}
	if out, code := l.topology("reload", "serverB"); code != 1 || !strings.Contains(out, "serverB was taken down") {
		t.Errorf("reload serverB after down: code %d, %s", code, out)
	}
	l.must("restart", "serverB")
	if p := part(t, l.status(), "serverB"); p.State != supervise.Ready {
		t.Errorf("restart serverB: got %s", p.State)
	}
}

// Every instance, FORK and CLUSTER, is replaced while requests come through nginx and to the instances
// themselves; none is lost.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.mustUp()
	before := l.status()
	var wg sync.WaitGroup
	var stop atomic.Bool
	var asked atomic.Int64
	ask := func(url string, client *http.Client) {
		for !stop.Load() {
			resp, err := client.Get(url)
			if err != nil {
				t.Errorf("GET %s: %v", url, err)
				return
			}
			_ = resp.Body.Close()
			if asked.Add(1); resp.StatusCode != http.StatusOK {
				t.Errorf("GET %s: status %d", url, resp.StatusCode)
			}
			time.Sleep(2 * time.Millisecond) // a load, not a flood
		}
	}
	for _, keepalive := range []bool{true, false} {
		for _, path := range []string{"/info", "/api/randoms?cant=100"} {
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: !keepalive}}
			wg.Go(func() { ask(fmt.Sprintf("http://127.0.0.1:%d%s", l.http, path), client) })
		}
	}
	// Past nginx, which would retry, with a connection a request: to a FORK and to a CLUSTER instance.
	for i := range 2 {
		client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		wg.Go(func() { ask(fmt.Sprintf("http://127.0.0.1:%d/info", l.base+i), client) })
	}
	for range 2 {
		n := asked.Load()
		for asked.Load() < n+100 && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		if out := l.must("reload"); strings.Count(out, "reloaded in") != 6 {
			t.Errorf("reload: got %s, want six instances", out)
		}
	}
	stop.Store(true)
	wg.Wait()
	after := l.status()
	for _, p := range after.Parts {
		if old := part(t, before, p.Name); p.Kind == fleet.Instance && (p.PID == old.PID || p.State != supervise.Ready) {
			t.Errorf("%s: had pid %d, has %d, is %s", p.Name, old.PID, p.PID, p.State)
		}
	}
	if asked.Load() < 200 {
		t.Errorf("only %d requests were made", asked.Load())
	}
}

// Workers and FORK instances die under load. nginx asks another server for what was under way, so every GET
// succeeds, and everything is up at the end.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.mustUp()
	var wg sync.WaitGroup
	var stop atomic.Bool
	for _, path := range []string{"/info", "/api/randoms?cant=100", "/login", "/api/randoms?cant=5"} {
		client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
		wg.Go(func() {
			for !stop.Load() {
				resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", l.http, path))
				if err != nil {
					t.Errorf("GET %s: %v", path, err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("GET %s: status %d", path, resp.StatusCode)
				}
				time.Sleep(2 * time.Millisecond) // a load, not a flood
			}
		})
	}
	// In turn, so that none dies again before it has lived.
	for range 2 {
		for _, name := range []string{"site2", "serverC", "serverA", "site1"} {
			p := part(t, l.status(), name)
			args := []string{"kill", name}
			if len(p.Workers) > 0 {
				args = append(args, "--worker", strconv.Itoa(p.Workers[0]))
			}
			l.must(args...)
			l.eventually(name+" is whole again", func(s *status.Snapshot) bool {
				now := part(t, s, name)
				return now.State == supervise.Ready && len(now.Workers) == len(p.Workers) &&
					(now.PID != p.PID || len(p.Workers) > 0 && !slices.Contains(now.Workers, p.Workers[0]))
			})
		}
	}
	stop.Store(true)
	wg.Wait()
	s := l.status()
	for name, want := range map[string]int{"site1": 0, "site2": 2, "serverA": 2, "serverC": 0} {
		p := part(t, s, name)
		if p.Restarts != want || p.Ended != nil && *p.Ended < 2 {
			t.Errorf("%s: got %d restarts, %v workers ended, want %d", name, p.Restarts, p.Ended, want)
		}
	}
}
