//go:build e2e

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"balanceo/topology/control"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/ports"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// patience bounds whatever is waited for. It is long: steps wait for events.
const patience = 60 * time.Second

// seedLike is the layout seed with a file of settings for serverA, so that one instance can be made unable to start.
const seedLike = `instances:
- {name: site1, port: 8080, mode: CLUSTER}
- {name: site2, port: 8081}
- {name: serverA, port: 8082, args: [--env-file, %q]}
- {name: serverB, port: 8083}
- {name: serverC, port: 8084, mode: CLUSTER}
- {name: serverD, port: 8085, mode: CLUSTER}
`

// rig is one layout, in a folder and on ports of its own.
type rig struct {
	*testing.T
	dir        string // with nginx.conf, the layout's file and run/
	http, base int
	client     *control.Client
	before     map[string]status.Part // as the layout was before anything was done to it
	said       []string               // what commands said on the terminal
}

func newRig(t *testing.T, dir string) *rig {
	t.Helper()
	base, err := ports.FreeBlock("", []int{0, 1, 2, 3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, dir: dir, base: base, http: base + 6}
	conf, err := os.ReadFile("../../nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	r.write("nginx.conf", string(conf))
	r.write("serverA.env", "")
	r.write("seed.yaml", fmt.Sprintf(seedLike, r.path("serverA.env")))
	t.Cleanup(r.end)
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// end takes the layout down and shows its log where the test failed.
func (r *rig) end() {
	if r.Failed() {
		text, _ := os.ReadFile(r.path(fmt.Sprintf("run/%d/logs/topology.log", r.http)))
		r.Logf("topology's log:\n%s", text)
	}
	if out, err := r.command("topology", "down").CombinedOutput(); err != nil {
		r.Errorf("down: %v: %s", err, out)
	}
}

func (r *rig) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, program), args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "MONGO_URL=", layout.EnvRun+"="+r.path("run"))
	return cmd
}

// upArgs are those that start the layout.
func (r *rig) upArgs() []string {
	return []string{"up", "-d", "--layout", "seed.yaml", "--http-port", strconv.Itoa(r.http), "--base-port", strconv.Itoa(r.base)}
}

// up starts the layout, unless it runs, and remembers how it is.
func (r *rig) up() {
	r.Helper()
	if out, err := r.command("topology", r.upArgs()...).CombinedOutput(); err != nil {
		r.Fatalf("up: %v: %s", err, out)
	}
	state, ok, err := layout.FindByTarget(r.path("run"), ":"+strconv.Itoa(r.http))
	if err != nil || !ok {
		r.Fatalf("the layout that is up is not found: %v", err)
	}
	r.client = control.NewClient(state.Control)
	r.before = map[string]status.Part{}
	for _, p := range r.status().Parts {
		r.before[p.Name] = p
	}
}

func (r *rig) status() *status.Snapshot {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	s, err := r.client.Status(ctx, true)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

func (r *rig) part(name string) status.Part {
	r.Helper()
	for _, p := range r.status().Parts {
		if p.Name == name {
			return p
		}
	}
	r.Fatalf("no part %q", name)
	return status.Part{}
}

// awaitHealthy returns when every part is as it was, but for its processes.
func (r *rig) awaitHealthy() time.Time {
	r.Helper()
	deadline := time.Now().Add(patience)
	for {
		s := r.status()
		wrong := r.unlike(s)
		if wrong == "" {
			return s.At
		}
		if time.Now().After(deadline) {
			r.Errorf("not as before within %v: %s", patience, wrong)
			return s.At
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unlike says what is not as it was.
func (r *rig) unlike(s *status.Snapshot) string {
	for _, p := range s.Parts {
		was := r.before[p.Name]
		switch {
		case p.State != supervise.Ready:
			return fmt.Sprintf("%s is %s", p.Name, p.State)
		case len(p.Workers) != len(was.Workers) && p.Wanted > 0:
			return fmt.Sprintf("%s has %d workers, not %d", p.Name, len(p.Workers), len(was.Workers))
		case p.Expected != nil && *p.Expected != *was.Expected:
			return fmt.Sprintf("%s is to get %v of the requests, not %v", p.Name, *p.Expected, *was.Expected)
		}
	}
	return s.Disk
}

// lines are what the layout's logs and its status say, in the order of time, as far as it was not said before since.
func (r *rig) lines(since time.Time) []string {
	r.Helper()
	files, err := filepath.Glob(r.path("run/*/logs/*.log"))
	if err != nil {
		r.Fatal(err)
	}
	sources := []logs.Source{{Name: "nginx", Path: r.path(fmt.Sprintf("run/%d/nginx/error.log", r.http))}}
	for _, f := range files {
		sources = append(sources, logs.Source{Name: strings.TrimSuffix(filepath.Base(f), ".log"), Path: f})
	}
	found, err := logs.Last(100_000, sources...)
	if err != nil {
		r.Fatal(err)
	}
	var out []string
	for _, l := range found {
		if !l.Time.Before(since) {
			out = append(out, l.Source+": "+l.Text)
		}
	}
	return out
}
