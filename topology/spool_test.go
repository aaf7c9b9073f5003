package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// Nobody who writes waits for a reader that has stopped; what was taken comes out in order.
func TestSpool(t *testing.T) {
	r, w := io.Pipe() // takes nothing until it is read
	s := newSpool(w)
	line := strings.Repeat("x", 1000) + "\n"
	for range 2 * spoolSize / len(line) {
		if n, err := io.WriteString(s, line); n != len(line) || err != nil {
			t.Fatalf("Write: got %d, %v", n, err)
		}
	}
	s.close(time.Millisecond)
	got := make(chan int)
	go func() {
		text, _ := io.ReadAll(r)
		got <- bytes.Count(text, []byte(line))
	}()
	<-s.done
	_ = w.Close()
	if n := <-got; n < spoolSize/len(line) {
		t.Errorf("lines that came out: got %d, want at least as many as fit, %d", n, spoolSize/len(line))
	}

	var out bytes.Buffer
	s = newSpool(&out)
	_, _ = io.WriteString(s, "a\n")
	_, _ = io.WriteString(s, "b\n")
	s.close(time.Minute)
	if out.String() != "a\nb\n" {
		t.Errorf("output: got %q", &out)
	}
}
