package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"balanceo/topology/layout"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// kill -9 of topology takes everything along, and the next start works without cleaning up.
func TestKilledTopology(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.mustUp()
	s := l.status()
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.gone(s, 20*time.Second)
	if out, code := l.topology("status"); code != 1 || !strings.Contains(out, "no layout is running") {
		t.Errorf("status after kill -9: code %d, %s", code, out)
	}
	// As after a power cut: half a state file, and a pid file that means somebody else.
	dir := filepath.Join(l.dir, "run", strconv.Itoa(l.http))
	l.write(filepath.Join("run", strconv.Itoa(l.http), "state.json"), `{"dir": "`)
	l.write(filepath.Join("run", strconv.Itoa(l.http), "nginx", "nginx.pid"), strconv.Itoa(os.Getpid())+"\n")
	if _, err := os.Stat(filepath.Join(dir, "control.sock")); err != nil {
		t.Errorf("no stale socket to start over: %v", err)
	}
	l.mustUp()
	s = l.status()
	if !allReady(s) {
		t.Errorf("status after the second up: got %+v", s)
	}
	l.must("down")
	l.gone(s, 0)
}

// An instance that can't start fails, with the reason, and the others run on. Where none can, nothing is left.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var text strings.Builder
	text.WriteString("instances:\n")
	for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
		given := l.base + i
		if name == "b" || name == "e" {
			given = 70000 // no port: its server exits at once
		}
		fmt.Fprintf(&text, "- {name: %s, port: %d, args: [--port, \"%d\"]}\n", name, 8080+i, given)
	}
	l.write("bad.yaml", text.String())
	// The ports in args are those of l: a moved layout would give others.
	out, code := l.topology("up", "-d", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base), "--layout", "bad.yaml")
	if code != 1 || !strings.Contains(out, `"b" is failed: exit status 2: `) || !strings.Contains(out, `"e" is failed: exit status 2: `) {
		t.Fatalf("up with an instance that can't start: code %d, %s", code, out)
	}
	s := l.status()
	for _, p := range s.Parts {
		switch {
		case (p.Name == "b" || p.Name == "e") && (p.State != supervise.Failed || !strings.Contains(p.Reason, "70000") || p.PID != 0 || p.Restarts < 5):
			t.Errorf("%s: got %+v, want failed, with the reason", p.Name, p)
		case p.Name != "b" && p.Name != "e" && p.State != supervise.Ready:
			t.Errorf("%s: got %s, want ready", p.Name, p.State)
		}
	}
	if code, err := l.get("/info"); code != http.StatusOK || err != nil {
		t.Errorf("GET /info without b: got %d, %v", code, err)
	}
	if table := l.must("status"); !strings.Contains(table, "b: exit status 2: ") {
		t.Errorf("status does not say why b failed: %s", table)
	}
	// A reload does what it can.
	out, code = l.topology("reload")
	if code != 1 || strings.Count(out, "reloaded in") != 4 || !strings.Contains(out, "b") {
		t.Errorf("reload with a failed instance: code %d, %s, want the four others reloaded", code, out)
	}
	s = l.status()
	l.must("down")
	l.gone(s, 0)

	l.write("none.yaml", "instances:\n- {name: a, port: 8080, args: [--no-such-flag]}\n")
	out, code = l.topology("up", "-d", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base), "--layout", "none.yaml")
	if code != 1 || !strings.Contains(out, "no-such-flag") || !strings.Contains(out, "hint: the last lines of ") {
		t.Errorf("up without an instance that starts: code %d, %s", code, out)
	}
	l.gone(s, 0)
	if states, err := layout.Running(filepath.Join(l.dir, "run")); len(states) != 0 || err != nil {
		t.Errorf("layouts after a start that failed: got %v, %v", states, err)
	}
}

// Two layouts never touch each other.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	a := newLab(t)
	a.mustUp("--layout", "single")
	b := &lab{T: t, dir: a.dir} // the same folder, other ports
	b.newPorts()
	b.mustUp("--layout", "fork")
	onA, onB := "--http-port="+strconv.Itoa(a.http), "--http-port="+strconv.Itoa(b.http)
	if out, code := a.topology("status"); code != 2 || !strings.Contains(out, "several layouts run: choose one with --http-port") {
		t.Errorf("status with two layouts: code %d, %s", code, out)
	}
	before := a.status(onA)
	dead := b.status(onB)
	if before.Layout != "single" || dead.Layout != "fork" {
		t.Errorf("layouts: got %q and %q, want single and fork", before.Layout, dead.Layout)
	}
	a.must("reload", "site1", onB)
	a.must("down", onB)
	b.gone(dead, 0)
	if after := a.status(); fmt.Sprint(pids(after)) != fmt.Sprint(pids(before)) || !allReady(after) {
		t.Errorf("single after fork is down: got %v, want %v", pids(after), pids(before))
	}
}

// A process that does not end is killed after the grace time, and named.
func TestIgnoredTerm(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.mustUp("--grace", "500ms", "--layout", "fork")
	s := l.status()
	stuck := part(t, s, "serverC").PID
	l.must("kill", "serverC", "--signal", "STOP") // a stopped process takes no TERM
	out := l.must("down")
	want := fmt.Sprintf("serverC: server (pid %d) ignored TERM for 500ms and was killed", stuck)
	if !strings.Contains(out, want) {
		t.Errorf("down with a stuck process: got %s, want %q", out, want)
	}
	l.gone(s, 0)
}

// What holds a port is named, and what to do about it.
func TestPortInTheWay(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, port := range []int{l.http, l.base + 2} {
		host := "127.0.0.1"
		ln, err := net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		out, code := l.topology("up", "-d", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base))
		_ = ln.Close()
		want := fmt.Sprintf("port %d is taken by pid %d (", port, os.Getpid())
		if code != 1 || !strings.Contains(out, want) || !strings.Contains(out, fmt.Sprintf("hint: end it (kill %d), or move", os.Getpid())) {
			t.Errorf("up with port %d taken: code %d, %s, want %q", port, code, out, want)
		}
	}
}

// An instance that is frozen is left out by the balancer until it is thawed, and replaced if it is not.
func TestFrozenInstance(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.write("quick.yaml", "probe: {interval: 100ms, timeout: 1s, misses: 2, replace_after: 6s}\ninstances:\n"+
		"- {name: a, port: 8080}\n- {name: b, port: 8081}\n- {name: c, port: 8082}\n- {name: d, port: 8083}\n- {name: e, port: 8084}\n- {name: f, port: 8085}\n")
	l.mustUp("--layout", "quick.yaml")
	share := func(s *status.Snapshot, name string) float64 {
		if p := part(t, s, name); p.Expected != nil {
			return *p.Expected
		}
		return -1
	}
	before := part(t, l.status(), "d")
	l.must("kill", "d", "--signal", "STOP")
	silent := l.eventually("d is unresponsive and left out", func(s *status.Snapshot) bool {
		return part(t, s, "d").State == supervise.Unresponsive && share(s, "d") == 0 && share(s, "c") > 0.33
	})
	if p := part(t, silent, "d"); p.PID != before.PID || !strings.Contains(p.Reason, "no sign of life for ") {
		t.Errorf("d, frozen: got %+v", p)
	}
	for range 12 { // nobody waits for it
		asked := time.Now()
		if code, err := l.get("/api/randoms?cant=5"); code != http.StatusOK || err != nil || time.Since(asked) > 3*time.Second {
			t.Errorf("GET /api/randoms without d: got %d, %v after %v", code, err, time.Since(asked))
		}
	}
	l.must("kill", "d", "--signal", "CONT")
	l.eventually("d is ready and back in", func(s *status.Snapshot) bool {
		p := part(t, s, "d")
		return p.State == supervise.Ready && p.PID == before.PID && share(s, "d") == 0.25
	})
	l.must("kill", "d", "--signal", "STOP")
	l.eventually("d is replaced and back in", func(s *status.Snapshot) bool {
		p := part(t, s, "d")
		return p.State == supervise.Ready && p.PID != before.PID && p.Restarts == 1 && share(s, "d") == 0.25
	})
	out := l.must("logs", "topology")
	for _, want := range []string{"d: unresponsive: no sign of life for ", "d: ready again", "d: starting again: killed: no sign of life for "} {
		if !strings.Contains(out, want) {
			t.Errorf("log of topology: %q is missing in %s", want, out)
		}
	}
}
