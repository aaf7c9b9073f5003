package watch

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
)

// module makes a small module: a program with a package and an embedded file, and folders beside.
func module(t *testing.T) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod":                "module m\n\ngo 1.26\n",
		"server/main.go":        "package main\n\nimport \"m/server/app\"\n\nfunc main() { println(app.Text) }\n",
		"server/app/app.go":     "package app\n\nimport _ \"embed\"\n\n//go:embed web/a.html\nvar Text string\n",
		"server/app/web/a.html": "hello",
		"results/main.go":       "package main\n\nfunc main() {}\n",
		"run/x/a.log":           "",
	} {
		write(t, filepath.Join(root, name), text)
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCounts(t *testing.T) {
	root := module(t)
	src, err := sources(t.Context(), Config{Root: root, Package: "./server"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		op   fsnotify.Op
		want bool
	}{
		{"server/main.go", fsnotify.Write, true},
		{"server/new.go", fsnotify.Create, true},
		{"server/main.go", fsnotify.Remove, true},
		{"server/main.go", fsnotify.Chmod, false},
		{"server/main_test.go", fsnotify.Write, false},
		{"server/app/app.go", fsnotify.Rename, true},
		{"server/app/notes.txt", fsnotify.Write, false},
		{"server/app/web/a.html", fsnotify.Write, true},
		{"server/app/web/b.css", fsnotify.Create, true},
		{"server/.main.go.swp", fsnotify.Write, false},
		{"server/4913", fsnotify.Create, false},
		{"server/main.go~", fsnotify.Create, false},
		{"server/#main.go#", fsnotify.Write, false},
		{"server/.#main.go", fsnotify.Create, false},
		{"server/app/web/a.html___jb_tmp___", fsnotify.Create, false},
		{"go.mod", fsnotify.Write, true},
		{"README.md", fsnotify.Write, false},
		{"results/main.go", fsnotify.Write, false},
		{"run/x/a.log", fsnotify.Write, false},
		{"bin/server", fsnotify.Create, false},
	}
	for _, tt := range tests {
		if got := src.counts(fsnotify.Event{Name: filepath.Join(root, tt.name), Op: tt.op}); got != tt.want {
			t.Errorf("counts(%v %s): got %v, want %v", tt.op, tt.name, got, tt.want)
		}
	}
}

func TestRun(t *testing.T) {
	root := module(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	calls, done := make(chan []string, 10), make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Root: root, Package: "./server", Changed: func(_ context.Context, files []string) { calls <- files }})
	}()
	// When watching has begun is not known from outside: write until it is seen.
	main := filepath.Join(root, "server", "main.go")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	for seen := false; !seen; {
		write(t, main, string(text))
		select {
		case <-calls:
			seen = true
		case <-time.After(2 * quiet):
		case <-ctx.Done():
			t.Fatal("no change was seen")
		}
	}
	// What belongs to nothing, then what does; the second alone is told.
	write(t, filepath.Join(root, "run", "x", "a.log"), "line")
	write(t, filepath.Join(root, "results", "main.go"), "package main\n")
	write(t, filepath.Join(root, "server", "main_test.go"), "package main\n")
	write(t, filepath.Join(root, "server", "app", "web", "a.html"), "changed")
	write(t, filepath.Join(root, "server", "app", "app.go"), "package app\n\nimport _ \"embed\"\n\n//go:embed web/a.html\nvar Text string\n\nvar _ = 1\n")
	got := map[string]bool{}
	for len(got) < 2 {
		select {
		case files := <-calls:
			for _, f := range files {
				if f != "server/main.go" { // from the loop above
					got[f] = true
				}
			}
		case <-ctx.Done():
			t.Fatalf("changes: got %v, want app.go and a.html", got)
		}
	}
	if d := cmp.Diff(map[string]bool{"server/app/app.go": true, "server/app/web/a.html": true}, got); d != "" {
		t.Errorf("changed files: -want +got\n%s", d)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestBuild(t *testing.T) {
	root := module(t)
	output := filepath.Join(root, "bin", "server")
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		t.Fatal(err)
	}
	says := func() string {
		t.Helper()
		out, err := exec.Command(output).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	for _, want := range []string{"hello", "two"} {
		write(t, filepath.Join(root, "server/app/web/a.html"), want)
		if err := Build(t.Context(), root, "./server", output); err != nil || says() != want {
			t.Fatalf("Build: got %v and %q, want %q", err, says(), want)
		}
	}
	write(t, filepath.Join(root, "server/main.go"), "package main\n\nfunc main() { undefined() }\n")
	err := Build(t.Context(), root, "./server", output)
	if err == nil || !strings.Contains(err.Error(), "server/main.go:3:15: undefined: undefined") || says() != "two" {
		t.Errorf("Build of broken sources: got %v, and the program says %q", err, says())
	}
}
