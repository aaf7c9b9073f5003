package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/topology/fleet"
	"balanceo/topology/status"
)

// host notes what it is asked.
type host struct{ asked []string }

func (h *host) note(format string, args ...any) {
	h.asked = append(h.asked, fmt.Sprintf(format, args...))
}

func (h *host) Status(context.Context) (*status.Snapshot, error) {
	return &status.Snapshot{Layout: "seed", HTTPPort: 80}, nil
}

func (h *host) Reload(_ context.Context, names []string, progress fleet.Progress) error {
	h.note("reload %v", names)
	for _, n := range names {
		progress(n + " reloaded")
	}
	return nil
}

func (h *host) Restart(_ context.Context, names []string, progress fleet.Progress) error {
	h.note("restart %v", names)
	progress("a restarted")
	return errors.New("b does not start")
}

func (h *host) Scale(_ context.Context, name string, n int, _ fleet.Progress) error {
	h.note("scale %s %d", name, n)
	return nil
}

func (h *host) Kill(_ context.Context, name string, worker int, sig syscall.Signal) (int, error) {
	h.note("kill %s %d %d", name, worker, sig)
	return 42, nil
}

func (h *host) Down(_ context.Context, names []string, _ fleet.Progress) error {
	h.note("down %v", names)
	return nil
}

func TestClientAndServer(t *testing.T) {
	dir := t.TempDir()
	path := SocketPath(dir)
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("control socket: got %v, %v, want it for this user only", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h, done := &host{}, make(chan error, 1)
	go func() { done <- Serve(ctx, ln, h) }()
	c := NewClient(path)
	var lines []string
	line := func(s string) { lines = append(lines, s) }
	if s, err := c.Status(ctx); err != nil || s.Layout != "seed" || s.HTTPPort != 80 {
		t.Errorf("Status: got %+v, %v", s, err)
	}
	if err := c.Reload(ctx, []string{"a", "b"}, line); err != nil {
		t.Errorf("Reload: %v", err)
	}
	if err := c.Restart(ctx, nil, line); err == nil || err.Error() != "b does not start" {
		t.Errorf("Restart: got %v, want the host's error", err)
	}
	if err := c.Scale(ctx, "a", 3, line); err != nil {
		t.Errorf("Scale: %v", err)
	}
	if err := c.Kill(ctx, "a", 7, syscall.SIGTERM, line); err != nil {
		t.Errorf("Kill: %v", err)
	}
	if err := c.Down(ctx, []string{"a"}, line); err != nil {
		t.Errorf("Down: %v", err)
	}
	if d := cmp.Diff([]string{"reload [a b]", "restart []", "scale a 3", "kill a 7 15", "down [a]"}, h.asked); d != "" {
		t.Errorf("asked: -want +got\n%s", d)
	}
	if d := cmp.Diff([]string{"a reloaded", "b reloaded", "a restarted", "a: sent SIGTERM to pid 42"}, lines); d != "" {
		t.Errorf("lines: -want +got\n%s", d)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("Status after the end: got %v", err)
	}
}

func TestSocketPath(t *testing.T) {
	if got, want := SocketPath("/p/run/80"), "/p/run/80/control.sock"; got != want {
		t.Errorf("SocketPath: got %q, want %q", got, want)
	}
	deep := "/" + strings.Repeat("d", 200)
	a, again, other := SocketPath(deep), SocketPath(deep), SocketPath(deep+"e")
	if len(a) > longestSocket || a != again || a == other {
		t.Errorf("SocketPath of a deep folder: got %q and %q, of another %q", a, again, other)
	}
	t.Setenv("TMPDIR", deep)
	if got := SocketPath(deep); len(got) > longestSocket {
		t.Errorf("SocketPath with a deep TMPDIR: got %q", got)
	}
}

// A socket that a crash left is replaced, and one in a folder too deep for sockets works.
func TestListen(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	for _, dir := range []string{t.TempDir(), deep} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := SocketPath(dir)
		for range 2 {
			ln, err := Listen(path)
			if err != nil {
				t.Fatalf("Listen(%q): %v", path, err)
			}
			ln.(*net.UnixListener).SetUnlinkOnClose(false) // as after a crash
			_ = ln.Close()
		}
		_ = os.Remove(path)
	}
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second Lock: got %v, want ErrLocked", err)
	}
	release()
	release, err = Lock(dir)
	if err != nil {
		t.Fatalf("Lock after release: %v", err)
	}
	release()
}

// Whoever hangs up does not hold the end up.
func TestServeEnds(t *testing.T) {
	path := SocketPath(t.TempDir())
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, &host{}) }()
	silent, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Serve does not end")
	}
}
