package supervise

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// Limits of what is remembered of a child's output.
const (
	tailLines     = 20
	tailLineBytes = 400
)

// tail keeps the last lines that were written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	lines []string
	open  []byte // a line that has not ended yet
	panic string // the line with which a Go program says why it dies, before it prints its goroutines
}

func newTail(limit int) *tail { return &tail{limit: limit} }

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		if room := tailLineBytes - len(t.open); room > 0 {
			t.open = append(t.open, line[:min(room, len(line))]...)
		}
		if !ended {
			return n, nil
		}
		t.add()
		b = rest
	}
}

// add moves the open line to the others; blank ones say nothing.
func (t *tail) add() {
	if line := strings.TrimRight(string(t.open), "\r\t "); line != "" {
		if len(t.lines) == t.limit {
			t.lines = append(t.lines[:0], t.lines[1:]...)
		}
		t.lines = append(t.lines, line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			t.panic = line
		}
	}
	t.open = t.open[:0]
}

// all are the lines that are kept, oldest first.
func (t *tail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := slices.Clone(t.lines)
	if line := strings.TrimSpace(string(t.open)); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// last is the line that most likely says why: the one of a panic, else the latest that is not a hint on what
// to do about it.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.panic != "" {
		return t.panic
	}
	if line := strings.TrimSpace(string(t.open)); line != "" {
		return line
	}
	for _, line := range slices.Backward(t.lines) {
		if !strings.HasPrefix(line, "hint: ") {
			return line
		}
	}
	return ""
}
