package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// open makes a log with small bounds and a clock that ticks a second a line.
func open(t *testing.T, path string, size int64, second *int) *File {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	l.max = size
	l.now = func() time.Time {
		*second++
		return time.Date(2026, 1, 2, 3, 4, *second, 0, time.UTC)
	}
	return l
}

func texts(lines []Line) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Source+" "+l.Text)
	}
	return out
}

func TestWriteLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	second := 0
	l := open(t, path, 1000, &second)
	for _, piece := range []string{"on", "e\ntwo\r\nthr", "ee\n\nfour"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("Write(%q): got %d, %v", piece, n, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	want := "2026-01-02T03:04:01.000Z one\n2026-01-02T03:04:02.000Z two\n2026-01-02T03:04:03.000Z three\n" +
		"2026-01-02T03:04:04.000Z \n2026-01-02T03:04:05.000Z four\n"
	if string(got) != want || err != nil {
		t.Errorf("log: got %q, %v, want %q", got, err, want)
	}
	if _, err := l.Write([]byte("late\n")); err == nil {
		t.Error("Write after Close: got no error")
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	second := 0
	l := open(t, path, 60, &second) // two lines of 31 bytes a file
	for i := range 12 {
		if _, err := fmt.Fprintf(l, "line%d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != Keep+1 {
		t.Errorf("files after rotation: got %v, %v, want %d", files, err, Keep+1)
	}
	got, err := Last(5, Source{"a", path})
	want := []string{"a line7", "a line8", "a line9", "a line10", "a line11"}
	if d := cmp.Diff(want, texts(got)); d != "" || err != nil {
		t.Errorf("Last(5) over moved files: %v, -want +got\n%s", err, d)
	}
}

// A log that can't be moved away goes on, and is moved when that is possible again.
func TestRotationFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	second := 0
	l := open(t, path, 60, &second)
	inTheWay := filepath.Join(path+".1", "full") // a folder that is not empty can't be replaced
	if err := os.MkdirAll(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	l.keep = 1
	for i := range 6 {
		if i == 4 {
			if err := os.RemoveAll(path + ".1"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := fmt.Fprintf(l, "line%d\n", i); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
	}
	if moved, err := os.ReadFile(path + ".1"); err != nil || bytes.Count(moved, []byte("\n")) != 4 {
		t.Errorf("moved file: got %q, %v, want four lines", moved, err)
	}
	got, err := Last(9, Source{"a", path})
	if d := cmp.Diff([]string{"a line0", "a line1", "a line2", "a line3", "a line4", "a line5"}, texts(got)); d != "" || err != nil {
		t.Errorf("Last: %v, -want +got\n%s", err, d)
	}
}

func TestLastMergesByTime(t *testing.T) {
	dir := t.TempDir()
	second := 0
	a, b := open(t, filepath.Join(dir, "a.log"), 1000, &second), open(t, filepath.Join(dir, "b.log"), 1000, &second)
	for i, l := range []*File{a, b, a, b, b, a} {
		if _, err := fmt.Fprintln(l, i); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Last(4, Source{"a", a.path}, Source{"b", b.path}, Source{"c", filepath.Join(dir, "none.log")})
	if d := cmp.Diff([]string{"a 2", "b 3", "b 4", "a 5"}, texts(got)); d != "" || err != nil {
		t.Errorf("Last(4): %v, -want +got\n%s", err, d)
	}
}

func TestParse(t *testing.T) {
	local := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	tests := []struct {
		text string
		want Line
	}{
		{"2026-01-02T03:04:05.678Z hello", Line{"s", time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), "hello"}},
		{
			"2026-01-02T03:04:05.678Z time=2026-01-02T03:04:05.600+01:00 level=INFO",
			Line{"s", time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), "level=INFO"},
		},
		{"2026-01-02T03:04:05.678Z time=now x", Line{"s", time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), "time=now x"}},
		{"2026/01/02 03:04:05 [emerg] 1#1: x", Line{"s", local, "[emerg] 1#1: x"}},
		{"plain", Line{Source: "s", Text: "plain"}},
		{"2026-01-02T03:04:05.xyzZ hello", Line{Source: "s", Text: "2026-01-02T03:04:05.xyzZ hello"}},
		{"", Line{Source: "s"}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, parse("s", tt.text)); d != "" {
			t.Errorf("parse(%q): -want +got\n%s", tt.text, d)
		}
	}
}

// Of nginx's processes each opens a new log in its own time: what one of them still writes into the one that was moved
// away comes, too, and once.
func TestFollowLateWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	create := func() *os.File {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	before := create()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines, done := make(chan string, 100), make(chan error, 1)
	tl := &tail{source: Source{"nginx", path}}
	if err := tl.open(io.SeekStart); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer tl.close()
		for ctx.Err() == nil {
			more, err := tl.read()
			if err != nil {
				done <- err
				return
			}
			for _, l := range more {
				lines <- l.Text
			}
			time.Sleep(time.Millisecond)
		}
		done <- nil
	}()
	var want, got []string
	write := func(f *os.File, text string, whole bool) {
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
		if !whole {
			return
		}
		want = append(want, strings.Split(strings.TrimSpace(text), "\n")...)
		for len(got) < len(want) {
			select {
			case l := <-lines:
				got = append(got, l)
			case <-ctx.Done():
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	write(before, "one\n", true)
	write(before, "tw", false)
	if err := Rotate(path, 1); err != nil {
		t.Fatal(err)
	}
	after := create()
	write(after, "three\n", true)
	write(before, "o\nfour\n", false)
	want = append(want, "two", "four")
	write(after, "five\n", true)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" || len(lines) > 0 {
		t.Errorf("-want +got\n%s and %d more", d, len(lines))
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	second := 0
	a := open(t, filepath.Join(dir, "a.log"), 60, &second)
	if _, err := fmt.Fprintln(a, "before"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	lines, done := make(chan Line, 100), make(chan error, 1)
	begun := make(chan struct{})
	later := filepath.Join(dir, "later.log")
	go func() {
		close(begun)
		done <- Follow(ctx, func(l Line) { lines <- l }, Source{"a", a.path}, Source{"later", later})
	}()
	<-begun
	// One line at a time: each is waited for, over several moves of the file.
	next := func() string {
		t.Helper()
		select {
		case l := <-lines:
			return l.Source + " " + l.Text
		case <-ctx.Done():
			t.Fatal("Follow: the line did not come")
		}
		return ""
	}
	// Where following begins is not known from outside: write until the first line comes.
	seen := ""
	for i := 0; seen == ""; i++ {
		if _, err := fmt.Fprintf(a, "start%d\n", i); err != nil {
			t.Fatal(err)
		}
		select {
		case l := <-lines:
			seen = l.Text
		case <-time.After(followEvery):
		}
	}
	if !strings.HasPrefix(seen, "start") {
		t.Errorf("Follow: got %q, which was written before", seen)
	}
	for i := range 7 {
		if _, err := fmt.Fprintf(a, "x%d\n", i); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("a x%d", i)
		for got := next(); got != want; got = next() {
			if !strings.HasPrefix(got, "a start") {
				t.Fatalf("Follow: got %q, want %q", got, want)
			}
		}
	}
	b := open(t, later, 1000, &second)
	if _, err := fmt.Fprintln(b, "hello"); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "later hello" {
		t.Errorf("Follow of a log that appears later: got %q, want %q", got, "later hello")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Follow: %v", err)
	}
}
