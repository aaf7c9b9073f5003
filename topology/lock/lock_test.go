package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, path string) *File {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	a, b := open(t, path), open(t, path)
	want := func(what string, got bool, err error, want bool) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
		}
	}
	got, err := a.TryShared()
	want("a shared", got, err, true)
	got, err = b.TryShared()
	want("b shared beside a", got, err, true)
	got, err = b.TryExclusive()
	want("b alone beside a", got, err, false)
	if err := a.Unlock(); err != nil {
		t.Fatal(err)
	}
	got, err = b.TryExclusive()
	want("b alone", got, err, true)
	got, err = a.TryShared()
	want("a shared beside b alone", got, err, false)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	got, err = a.TryExclusive()
	want("a alone once b is closed", got, err, true)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("lock file: got %v, %v, want it for this user only", info.Mode(), err)
	}
}

func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Wait(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Wait(t.Context(), path, 0); !errors.Is(err, ErrHeld) {
		t.Errorf("Wait for a lock that is held: got %v, want ErrHeld", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Wait(ended, path, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a context that is done: got %v", err)
	}
	released := time.AfterFunc(20*time.Millisecond, func() { _ = first.Close() })
	defer released.Stop()
	second, err := Wait(t.Context(), path, time.Minute)
	if err != nil {
		t.Fatalf("Wait for a lock that is given back: %v", err)
	}
	_ = second.Close()
}
