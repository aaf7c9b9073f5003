package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func loaderOf(t *testing.T, script string) (l *loader, told *[]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "loadgen")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	told = &[]string{}
	return &loader{path: path, port: 80, out: t.TempDir(), told: func(text, by, _ string) { *told = append(*told, text+" by "+by) }}, told
}

// A load ends when it is told to, and another one only begins then.
func TestLoad(t *testing.T) {
	l, told := loaderOf(t, `trap 'kill $!; echo {}; exit 3' INT; sleep 60 & echo "$@" >>"$0.called"; wait`)
	for rate := 1; rate <= 2; rate++ {
		if err := l.start(Load{Rate: rate}, "page"); err != nil {
			t.Fatal(err)
		}
		if s := l.status(); !s.Running || s.Rate != rate || s.Until < time.Now().UnixMilli() {
			t.Errorf("after the start: got %+v", s)
		}
		for called := ""; strings.Count(called, "\n") < rate; { // its trap is set then
			text, _ := os.ReadFile(l.path + ".called")
			called = string(text)
			time.Sleep(time.Millisecond)
		}
	}
	l.end("page")
	if s := l.status(); s.Running || s.Last == nil || s.Said != "" {
		t.Errorf("after the end: got %+v", s)
	}
	l.end("page") // nothing runs
	want := "loadgen -target :80 -rate 1 -scenario mix -duration 10m by page, loadgen -target :80 -rate 2 -scenario mix -duration 10m by page, load ends by page"
	if got := strings.Join(*told, ", "); got != want {
		t.Errorf("told:\n got %s\nwant %s", got, want)
	}
	if err := l.start(Load{}, "page"); err == nil || !strings.Contains(err.Error(), "rate 0") {
		t.Errorf("a rate of 0: got %v", err)
	}
}

// Why a load came to nothing is told.
func TestLoadThatFails(t *testing.T) {
	l, _ := loaderOf(t, "echo loadgen: no such scenario >&2; exit 2")
	if err := l.start(Load{Rate: 5}, "page"); err != nil {
		t.Fatal(err)
	}
	<-l.ended
	if s := l.status(); s.Running || s.Said != "loadgen: no such scenario" {
		t.Errorf("got %+v", s)
	}
	l.close()
	l.path = filepath.Join(t.TempDir(), "nothing")
	if err := l.start(Load{Rate: 5}, "page"); err == nil || l.status().Running {
		t.Errorf("a loadgen that is not there: got %v, %+v", err, l.status())
	}
}
