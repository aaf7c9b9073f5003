package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/topology/fleet"
	"balanceo/topology/status"
)

// keeper notes what it is asked, and has two events.
type keeper struct{ asked []fleet.Action }

func (k *keeper) Status(context.Context, bool) (*status.Snapshot, error) {
	return &status.Snapshot{Layout: "seed", HTTPPort: 80}, nil
}

func (k *keeper) Do(_ context.Context, a fleet.Action, progress fleet.Progress) error {
	k.asked = append(k.asked, a)
	for _, n := range a.Names {
		progress(n + " done")
	}
	if a.Verb == fleet.Restart {
		return errors.New("b does not start")
	}
	return nil
}

func (k *keeper) Events(ctx context.Context, after int) ([]fleet.Event, error) {
	if after < 2 {
		return []fleet.Event{{Number: after + 1, Text: "happened"}}, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
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
	k, done := &keeper{}, make(chan error, 1)
	go func() { done <- Serve(ctx, ln, k) }()
	c := NewClient(path)
	var lines []string
	line := func(s string) { lines = append(lines, s) }
	if s, err := c.Status(ctx, true); err != nil || s.Layout != "seed" || s.HTTPPort != 80 {
		t.Errorf("Status: got %+v, %v", s, err)
	}
	actions := []fleet.Action{
		{Verb: fleet.Reload, Names: []string{"a", "b"}, By: "test"},
		{Verb: fleet.Restart, Names: []string{"c"}},
		{Verb: fleet.Kill, Names: []string{"a"}, Worker: 7, Signal: "TERM"},
		{Verb: fleet.Scale, Names: []string{"a"}, Workers: 3},
	}
	for _, a := range actions {
		err := c.Do(ctx, a, line)
		if failed := a.Verb == fleet.Restart; failed != (err != nil) || failed && err.Error() != "b does not start" {
			t.Errorf("Do(%v): got %v, want the keeper's answer", a, err)
		}
	}
	if d := cmp.Diff(actions, k.asked); d != "" {
		t.Errorf("asked: -want +got\n%s", d)
	}
	if d := cmp.Diff([]string{"a done", "b done", "c done", "a done", "a done"}, lines); d != "" {
		t.Errorf("lines: -want +got\n%s", d)
	}
	// Events come as they happen, until the layout is down.
	seen := make(chan int, 2)
	streamed := make(chan error, 1)
	go func() { streamed <- c.Events(t.Context(), 0, func(e fleet.Event) { seen <- e.Number }) }()
	for want := range 2 {
		if got := <-seen; got != want+1 {
			t.Errorf("event: got number %d, want %d", got, want+1)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := <-streamed; err != nil {
		t.Errorf("Events: got %v, want the end", err)
	}
	if _, err := c.Status(t.Context(), true); err == nil || !strings.Contains(err.Error(), "does not answer") {
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

// Whoever hangs up does not hold the end up.
func TestServeEnds(t *testing.T) {
	path := SocketPath(t.TempDir())
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, &keeper{}) }()
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
