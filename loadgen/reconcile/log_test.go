package reconcile

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLogIsAPipe: opening a pipe waits for a writer, and reading it takes the lines away from its reader.
func TestLogIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	pipe := func() {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, do func() error) {
		t.Helper()
		ended := make(chan error, 1)
		go func() { ended <- do() }()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), path+" is no regular file") {
				t.Errorf("%s: error %v, want one that names the pipe", what, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: waits for a writer", what)
		}
	}
	pipe()
	refused("at the start", func() error {
		_, err := openLog(path)
		return err
	})
	rotate(t, path)
	appendTo(t, path, "before\n")
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	rotate(t, path)
	pipe()
	refused("after a rotation", func() error { return l.lines(t.Context(), func([]byte) {}) })
}
