package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWriteOut: what is no file, as /dev/stdout, is written to and stays what it is.
func TestWriteOut(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // which waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for path, kind := range map[string]os.FileMode{link: os.ModeSymlink, pipe: os.ModeNamedPipe, filepath.Join(dir, "new"): 0} {
		if err := writeOut(io.Discard, path, []byte("text")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().Type() != kind {
			t.Errorf("%s: is %v now, %v; want %v", path, info.Mode().Type(), err, kind)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "text" {
		t.Errorf("behind the link: %q, %v", text, err)
	}
	piped := make([]byte, 4)
	if _, err := io.ReadFull(reader, piped); err != nil || string(piped) != "text" {
		t.Errorf("in the pipe: %q, %v", piped, err)
	}
}
