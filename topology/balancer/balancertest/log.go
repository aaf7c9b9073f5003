package balancertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"balanceo/topology/balancer"
)

// Dropped is how many lines the balancer says that it left out of its log.
func (r *Rig) Dropped(t *testing.T) int {
	t.Helper()
	d, ok := r.Balancer.(balancer.Dropper)
	if !ok {
		return 0
	}
	n, err := d.Dropped(t.Context(), r.Site)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// Log waits until the log has n lines, less those that the balancer says it left out, and returns them.
func (r *Rig) Log(t *testing.T, n int) []Line {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(r.Conf.AccessLog)
		if err == nil && bytes.Count(text, []byte("\n")) >= n-r.Dropped(t) {
			return r.lines(t, text)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log %s has %d of %d lines: %v\n%s", r.Conf.AccessLog, bytes.Count(text, []byte("\n")), n, err, text)
		}
	}
}

func (r *Rig) lines(t *testing.T, text []byte) []Line {
	t.Helper()
	var out []Line
	for row := range bytes.Lines(text) {
		var l Line
		if err := json.Unmarshal(r.LogLine(row), &l); err != nil {
			t.Fatalf("the log's line %s: %v", row, err)
		}
		out = append(out, l)
	}
	return out
}

// checkLog compares what clients saw with the balancer's own log.
func checkLog(t *testing.T, r *Rig, n int, groups ...map[string]int) {
	t.Helper()
	left := map[string]int{}
	for _, counts := range groups {
		for addr, n := range counts {
			left[addr] += n
		}
	}
	for _, l := range r.Log(t, n) {
		left[l.Addr]--
	}
	checkLeft(t, r, left)
}

// checkLeft looks at the answers of each server that clients saw and the log does not have.
func checkLeft(t *testing.T, r *Rig, left map[string]int) {
	t.Helper()
	dropped := r.Dropped(t)
	for addr, n := range left {
		if n < 0 || n > dropped {
			t.Errorf("log: %s has %d answers more or less than clients saw, and the balancer says that it left out %d", addr, -n, dropped)
		}
		dropped -= n
	}
}

// log: a line for each request says who answered it. Here everything is in a folder whose name is odd.
func log(t *testing.T, b balancer.Balancer) {
	dir := filepath.Join(t.TempDir(), `it's "a", $of %t; #1`)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := StartIn(t, dir, b, Source([]int{2, 1}, 1), NewServer(t), NewServer(t), NewServer(t))
	before := time.Now()
	counts := r.Split(t, 60, 4, "/x?y=z")
	if _, err := r.Get(r.Client(t, 1), `/b`, "X-Request-Id", "ab12-7", "User-Agent", `odd "agent" \ é`); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Log(t, 61) {
		if l.RequestID == "ab12-7" {
			if l.Group != "b" || !strings.HasPrefix(l.UserAgent, `odd "agent" \ `) {
				t.Errorf("log: got %+v, want group b and the agent as it was sent", l)
			}
			continue
		}
		at := time.UnixMilli(int64(l.Msec * 1000))
		if l.UserAgent != Agent || l.Method != http.MethodGet || l.URI != "/x?y=z" || l.Status != 200 || l.Group != "a" ||
			l.RequestTime < 0 || l.RequestTime > 10 || l.HeaderTime == "" || l.HeaderTime == "-" ||
			at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("log: got %+v", l)
		}
		counts[l.Addr]--
	}
	checkLeft(t, r, counts)
}
