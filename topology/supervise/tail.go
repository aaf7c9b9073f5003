package supervise

import (
	"bytes"
	"cmp"
	"strings"
	"sync"
)

// tailLineBytes is how much is remembered of a line.
const tailLineBytes = 400

// tail keeps of a child's output what may say why it ended.
type tail struct {
	mu    sync.Mutex
	line  string // the latest that is neither blank nor a hint on what to do about it
	open  []byte // a line that has not ended yet
	panic string // the line with which a Go program says why it dies, before it prints its goroutines
}

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

// add takes in the open line.
func (t *tail) add() {
	switch line := strings.TrimRight(string(t.open), "\r\t "); {
	case strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: "):
		t.panic = line
	case line != "" && !strings.HasPrefix(line, "hint: "):
		t.line = line
	}
	t.open = t.open[:0]
}

// last is the line that most likely says why: the one of a panic, else the latest.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cmp.Or(t.panic, strings.TrimSpace(string(t.open)), t.line)
}
