package database_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"balanceo/server/database"
	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main()
	os.Exit(m.Run())
}

// limit bounds one step of a test. It is long: steps wait for events, and other work may slow them.
const limit = time.Minute

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// children remembers the database processes that a test started through Shared.
type children struct {
	mu   sync.Mutex
	cmds []*exec.Cmd
}

func (c *children) config(dir string, idle time.Duration) database.ShareConfig {
	return database.ShareConfig{Dir: dir, Command: func(dir, listen string) *exec.Cmd {
		cmd := storetest.Command(dir, listen, idle)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cmds = append(c.cmds, cmd)
		return cmd
	}}
}

func (c *children) started() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.cmds)
}

func (c *children) kill(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.cmds[i].Process.Kill()
}

// gone waits until nobody serves the folder.
func gone(t testing.TB, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the database process does not end")
		}
	}
}

func share(t testing.TB, cfg database.ShareConfig) *database.Lease {
	t.Helper()
	l, err := database.Share(within(t), cfg)
	if err != nil {
		t.Fatalf("Share: %v", err)
	}
	return l
}

func TestSharedDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "database with a space")
	var c children
	cfg := c.config(dir, 300*time.Millisecond)

	// Many users at once: one process, one address.
	leases := make([]*database.Lease, 6)
	var wg sync.WaitGroup
	for i := range leases {
		wg.Go(func() {
			l, err := database.Share(within(t), cfg)
			if err != nil {
				t.Errorf("Share: %v", err)
				return
			}
			leases[i] = l
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, l := range leases {
		if l.URL != leases[0].URL || !strings.HasPrefix(l.URL, "mongodb://127.0.0.1:") {
			t.Errorf("addresses %q and %q differ, or are none", l.URL, leases[0].URL)
		}
	}
	if got := c.started(); got != 1 {
		t.Errorf("%d database processes were started, want 1", got)
	}
	s := storetest.Open(t, leases[0].URL)
	if err := s.AddUser(within(t), store.User{Email: "ana@example.com", Name: "Ana"}); err != nil {
		t.Fatal(err)
	}

	// It stays while one user is there, and comes back at its address after it was killed.
	for _, l := range leases[1:] {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	c.kill(0)
	if u, err := s.User(within(t), "ana@example.com"); err != nil {
		for deadline := time.Now().Add(limit); err != nil && time.Now().Before(deadline); {
			u, err = s.User(within(t), "ana@example.com")
		}
		if err != nil || u.Name != "Ana" {
			t.Errorf("after the database process was killed: got %+v, %v", u, err)
		}
	}

	// Whoever starts it after it was killed starts it where the others look for it.
	c.kill(c.started() - 1)
	second := share(t, cfg)
	if second.URL != leases[0].URL {
		t.Errorf("after it was killed again: the address is %q, want %q as before", second.URL, leases[0].URL)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}

	// It ends after the last user, and another one finds the data.
	if err := leases[0].Close(); err != nil {
		t.Error(err)
	}
	gone(t, dir)
	l := share(t, cfg)
	if u, err := storetest.Open(t, l.URL).User(within(t), "ana@example.com"); err != nil || u.Name != "Ana" {
		t.Errorf("after it ended: got %+v, %v", u, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	gone(t, dir)
}

// Users come and go just when the database process wants to leave: each gets a living one.
func TestSharedDatabaseThatIsLeaving(t *testing.T) {
	dir := t.TempDir()
	var c children
	cfg := c.config(dir, time.Nanosecond) // leaves at the first look that finds nobody, every 250 ms
	for i := range 8 {
		l := share(t, cfg)
		s, err := store.Open(l.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.User(within(t), "nobody@example.com")
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("user %d: the database does not answer: %v", i, err)
		}
		if err := s.Close(within(t)); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Duration(i) * 40 * time.Millisecond)
	}
	gone(t, dir)
}

func TestSharedDatabaseThatCannotStart(t *testing.T) {
	cfg := database.ShareConfig{Dir: t.TempDir(), Command: func(dir, _ string) *exec.Cmd {
		return storetest.Command(dir, "256.0.0.1:0", 0)
	}}
	_, err := database.Share(within(t), cfg)
	if err == nil || !strings.Contains(err.Error(), "256.0.0.1") || !strings.Contains(err.Error(), cfg.Dir) {
		t.Errorf("Share: got %v, want the folder and the reason", err)
	}
}

// A process that has the folder for a moment before it fails must not be taken for somebody else's.
func TestSharedDatabaseThatFailsLate(t *testing.T) {
	cfg := database.ShareConfig{Dir: t.TempDir(), Command: func(dir, _ string) *exec.Cmd {
		cmd := exec.Command("sh", "-c", "exec 9>owner; flock 9; sleep 0.3; echo no such disk >&2; exit 1")
		cmd.Dir = dir
		return cmd
	}}
	_, err := database.Share(within(t), cfg)
	if err == nil || !strings.Contains(err.Error(), "no such disk") {
		t.Errorf("Share: got %v, want the reason", err)
	}
}

// SQLite would read another path than the one that is given.
func TestFolderThatSQLiteReadsOtherwise(t *testing.T) {
	for _, name := range []string{"a#b", "a?b", "a%41b"} {
		dir := filepath.Join(t.TempDir(), name)
		_, shared := database.Share(within(t), database.ShareConfig{Dir: dir})
		for _, err := range []error{shared, database.Serve(within(t), database.Config{Dir: dir, Listen: "127.0.0.1:0"})} {
			if err == nil || !strings.Contains(err.Error(), strconv.Quote(dir)+": its path must have no %, ? or #") {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

func TestFolderHasOneDatabaseProcess(t *testing.T) {
	dir := t.TempDir()
	storetest.Start(t, dir, "127.0.0.1:0")
	err := database.Serve(context.Background(), database.Config{Dir: dir, Listen: "127.0.0.1:0"})
	if !errors.Is(err, database.ErrOwned) {
		t.Errorf("a second database process on the folder: got %v, want %v", err, database.ErrOwned)
	}
}
