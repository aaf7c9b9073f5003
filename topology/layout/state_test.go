package layout

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// live writes a state whose control socket answers until the test ends.
func live(t *testing.T, runDir, name string, httpPort int) State {
	t.Helper()
	dir := filepath.Join(runDir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := State{
		Dir: dir, PID: os.Getpid(), Layout: name, HTTPPort: httpPort, Control: filepath.Join(dir, "c"),
		Instances: []Instance{{Name: "a", Port: 1, Mode: Fork}},
	}
	ln, err := net.Listen("unix", s.Control)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRunning(t *testing.T) {
	dir, err := os.MkdirTemp("", "st[a]") // a folder's name is no pattern
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if got, err := Running(filepath.Join(dir, "none")); len(got) != 0 || err != nil {
		t.Errorf("Running without a folder: got %v, %v, want none", got, err)
	}
	b := live(t, dir, "b", 9002)
	a := live(t, dir, "a", 9001)

	// What crashes leave behind: half a file, a socket that nobody reads, a state without one.
	for name, text := range map[string]string{
		"half": `{"dir": "/x", "pid":`,
		"dead": `{"dir": "/x", "pid": 1, "http_port": 9003, "control": "` + filepath.Join(dir, "dead", "c") + `"}`,
		"none": `{"dir": "/x", "pid": 1, "http_port": 9004}`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, stateFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "dead", "c"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()

	got, err := Running(dir)
	if d := cmp.Diff([]State{a, b}, got); d != "" || err != nil {
		t.Errorf("Running: %v, -want +got\n%s", err, d)
	}

	tests := []struct {
		target string
		want   string
		err    string
	}{
		{":9001", "a", ""},
		{"127.0.0.1:9002", "b", ""},
		{"http://localhost:9002/x", "b", ""},
		{"[::1]:9001", "a", ""},
		{"9.9.9.9:9001", "", ""},
		{"example.com:9001", "", ""},
		{":9003", "", ""},
		{"http://localhost", "", ""},
		{":http", "", "invalid port"},
		{":70000", "", "is no port"},
	}
	for _, tt := range tests {
		s, ok, err := FindByTarget(dir, tt.target)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("FindByTarget(%q): got %v, want an error with %q", tt.target, err, tt.err)
			}
			continue
		}
		if s.Layout != tt.want || ok != (tt.want != "") || err != nil {
			t.Errorf("FindByTarget(%q): got %q, %v, %v, want %q", tt.target, s.Layout, ok, err, tt.want)
		}
	}

	if err := a.Remove(); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if err := a.Remove(); err != nil {
		t.Errorf("Remove again: %v", err)
	}
	if got, _ := Running(dir); len(got) != 1 {
		t.Errorf("Running after Remove: got %d layouts, want 1", len(got))
	}
}
