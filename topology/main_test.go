package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/ports"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// bin is a folder with topology, which is this test binary, and the real server beside it.
var bin string

// This binary is topology when it is called so: the race detector then watches the real process too.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "topology" {
		main()
	}
	os.Exit(withBinaries(m))
}

func withBinaries(m *testing.M) int {
	dir, err := os.MkdirTemp("", "topology-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	own, err := os.Executable()
	if err == nil {
		err = copyFile(own, filepath.Join(dir, "topology"))
	}
	if err == nil {
		var out []byte
		if out, err = exec.Command("go", "build", "-o", filepath.Join(dir, "server"), "balanceo/server").CombinedOutput(); err != nil {
			err = fmt.Errorf("build server: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = dir
	// The race detector makes every process wait a second at its end, in case a race is still to be seen.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	// What surrounds the tests must not change what they start.
	for _, name := range []string{layout.EnvRun, "MONGO_URL", "HTTP_PORT", "BASE_PORT", "NO_COLOR"} {
		_ = os.Unsetenv(name)
	}
	return m.Run()
}

func copyFile(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o755)
}

// The manners of the commands, without a layout that runs.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:             "testdata/script",
		ContinueOnError: true,
		Cmds:            map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			conf, err := os.ReadFile("../nginx.conf")
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(e.WorkDir, "nginx.conf"), conf, 0o644)
		},
	})
}

// exits N COMMAND… wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [arguments]")
	}
	code := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// lab is a folder in which a test runs layouts, on ports of its own.
type lab struct {
	*testing.T
	dir        string
	http, base int
	env        []string
	up         []string // further flags of up
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, dir: t.TempDir()}
	conf, err := os.ReadFile("../nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	l.write("nginx.conf", string(conf))
	l.newPorts()
	t.Cleanup(l.end)
	return l
}

func (l *lab) newPorts() {
	l.Helper()
	base, err := ports.FreeBlock("", []int{0, 1, 2, 3, 4, 5, 6})
	if err != nil {
		l.Fatal(err)
	}
	l.base, l.http = base, base+6
}

func (l *lab) write(name, text string) {
	l.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
}

// end takes down what the test has left, and looks for what the processes have to complain about.
func (l *lab) end() {
	if l.Failed() {
		files, _ := filepath.Glob(filepath.Join(l.dir, "run", "*", "logs", "topology.log"))
		for _, f := range files {
			text, _ := os.ReadFile(f)
			l.Logf("%s:\n%s", f, text)
		}
	}
	states, err := layout.Running(filepath.Join(l.dir, "run"))
	if err != nil {
		l.Error(err)
	}
	for _, s := range states {
		if out, code := l.topology("down", "--http-port", strconv.Itoa(s.HTTPPort)); code != 0 {
			l.Errorf("down at the end: code %d: %s", code, out)
			_ = syscall.Kill(s.PID, syscall.SIGKILL)
		}
	}
	files, _ := filepath.Glob(filepath.Join(l.dir, "run", "*", "logs", "crash.txt"))
	for _, f := range files {
		if text, _ := os.ReadFile(f); bytes.Contains(text, []byte("DATA RACE")) || bytes.Contains(text, []byte("panic: ")) {
			l.Errorf("%s:\n%s", f, text)
		}
	}
}

func (l *lab) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "topology"), args...)
	cmd.Dir = l.dir
	cmd.Env = append(append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH")), l.env...)
	return cmd
}

// topology calls the command and returns what it says on both streams, and its exit code.
func (l *lab) topology(args ...string) (string, int) {
	l.Helper()
	cmd := l.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.Fatalf("topology %v: %v", args, err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// must calls the command and wants it to succeed.
func (l *lab) must(args ...string) string {
	l.Helper()
	out, code := l.topology(args...)
	if code != 0 {
		l.Fatalf("topology %v: code %d: %s", args, code, out)
	}
	return out
}

// tryUp starts a layout in the background. The ports were free when they were chosen; others choose too.
func (l *lab) tryUp(args ...string) (string, int) {
	l.Helper()
	for range 4 {
		given := append([]string{"up", "-d", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base)}, l.up...)
		out, code := l.topology(append(given, args...)...)
		if code != 1 || !strings.Contains(out, "is taken by") && !strings.Contains(out, "Address already in use") {
			return out, code
		}
		l.newPorts()
	}
	l.Fatal("no ports stayed free")
	return "", 0
}

func (l *lab) mustUp(args ...string) string {
	l.Helper()
	out, code := l.tryUp(args...)
	if code != 0 {
		l.Fatalf("up %v: code %d: %s", args, code, out)
	}
	return out
}

func (l *lab) status(args ...string) *status.Snapshot {
	l.Helper()
	var s status.Snapshot
	if err := json.Unmarshal([]byte(l.must(append([]string{"status", "--json"}, args...)...)), &s); err != nil {
		l.Fatal(err)
	}
	return &s
}

func part(t testing.TB, s *status.Snapshot, name string) status.Part {
	t.Helper()
	for _, p := range s.Parts {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("status has no %q: %+v", name, s)
	return status.Part{}
}

// eventually asks for the status until it is as wanted.
func (l *lab) eventually(what string, wanted func(*status.Snapshot) bool) *status.Snapshot {
	l.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		s := l.status()
		if wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			l.Fatalf("%s: not within 30 s; last: %+v", what, s)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// pids are those of every process of the layout, topology's own too.
func pids(s *status.Snapshot) []int {
	out := []int{s.PID}
	for _, p := range s.Parts {
		if p.PID != 0 {
			out = append(append(out, p.PID), p.Workers...)
		}
	}
	return out
}

// gone waits until none of the processes lives and every port can be taken, and wants that within limit.
func (l *lab) gone(s *status.Snapshot, limit time.Duration) {
	l.Helper()
	deadline := time.Now().Add(limit)
	for {
		var left []string
		for _, pid := range pids(s) {
			if lives(pid) {
				left = append(left, fmt.Sprintf("pid %d", pid))
			}
		}
		for _, p := range s.Parts {
			host := fleet.Loopback
			if p.Kind == fleet.Balancer {
				host = ""
			}
			if err := ports.Check(host, p.Port); err != nil {
				left = append(left, err.Error())
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			l.Fatalf("%v later there is still %s", limit, strings.Join(left, ", "))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// lives tells whether the process runs; one that nobody has reaped does not.
func lives(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// get asks nginx.
func (l *lab) get(path string) (int, error) {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", l.http, path))
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func allReady(s *status.Snapshot) bool {
	for _, p := range s.Parts {
		if p.State != supervise.Ready {
			return false
		}
	}
	return true
}
