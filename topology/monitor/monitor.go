// Package monitor fills a terminal with a running layout: its parts with a curve of each, and the last lines of
// their logs. It works on the terminal's other screen, so that nothing of it is left behind.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"balanceo/topology/logs"
	"balanceo/topology/status"
)

// Config is what a monitor is made of.
type Config struct {
	In, Out *os.File // a terminal
	Colour  bool
	Status  func(ctx context.Context, sockets bool) (*status.Snapshot, error)
	Logs    []logs.Source
}

// What is written to the terminal before and after: the other screen, without a cursor, and lines that don't wrap.
const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// every is how often the layout is asked.
const every = time.Second

// Run shows the layout until ctx is done, somebody ends it by a key, or the layout is down, which is an error.
func Run(ctx context.Context, cfg Config) error {
	raw, err := term.MakeRaw(int(cfg.In.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(cfg.In.Fd()), raw) }()
	if _, err := io.WriteString(cfg.Out, enter); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _, _ = io.WriteString(cfg.Out, leave) }()

	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	keys := make(chan key)
	looks := make(chan look)
	lines := make(chan logs.Line)
	working.Go(func() { readKeys(ctx, cfg.In, keys) })
	working.Go(func() { ask(ctx, cfg.Status, looks) })
	working.Go(func() { follow(ctx, cfg.Logs, lines) })

	s := &screen{colour: cfg.Colour}
	if before, err := logs.Last(linesMost, cfg.Logs...); err == nil {
		s.lines = before
	}
	draw := time.NewTicker(every / 4) // a line of a log is shown with the next drawing
	defer draw.Stop()
	for changed := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case k := <-keys:
			if k == quit {
				return nil
			}
			k.act(s)
			show(cfg.Out, s)
		case l := <-lines:
			s.wrote(l)
			changed = true
		case l := <-looks:
			if l.err != nil {
				return l.err
			}
			s.took(l.snapshot)
			changed = true
		case <-draw.C:
			if changed {
				show(cfg.Out, s)
			}
			changed = false
		}
	}
}

// look is what came of asking.
type look struct {
	snapshot *status.Snapshot
	err      error
}

// ask asks every second.
func ask(ctx context.Context, get func(context.Context, bool) (*status.Snapshot, error), out chan<- look) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var l look
		l.snapshot, l.err = get(ctx, true)
		select {
		case out <- l:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func follow(ctx context.Context, sources []logs.Source, out chan<- logs.Line) {
	_ = logs.Follow(ctx, func(l logs.Line) { // the logs' absence shows
		select {
		case out <- l:
		case <-ctx.Done():
		}
	}, sources...)
}

// show draws the screen in place.
func show(out *os.File, s *screen) {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	lines := s.draw(width, height)
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("\x1b[K" + line) // erased first: behind a full line the cursor would stand on its last letter
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(out, b.String()) // a terminal that is gone ends this by its signal
}

// key is what somebody pressed.
type key string

// The keys, as terminals send them.
const quit key = "q"

func (k key) act(s *screen) {
	switch k {
	case "\x1b[A", "\x1bOA", "k":
		s.choose(-1)
	case "\x1b[B", "\x1bOB", "j", "\t":
		s.choose(1)
	case "\x1b[C", "\x1bOC", "l":
		s.turn(1)
	case "\x1b[D", "\x1bOD", "h":
		s.turn(-1)
	}
}

// readKeys sends keys until ctx is done. A read could not be ended, so it waits for something to read first.
func readKeys(ctx context.Context, in *os.File, out chan<- key) {
	var buf [64]byte
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}, 100) //nolint:gosec // a descriptor
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if n <= 0 {
			continue
		}
		if n, err = in.Read(buf[:]); err != nil {
			return
		}
		for _, k := range split(string(buf[:n])) {
			select {
			case out <- k:
			case <-ctx.Done():
				return
			}
		}
	}
}

// split takes apart what was read at once. Ctrl-C, Ctrl-D, Escape alone and Q are quit.
func split(text string) []key {
	var keys []key
	for text != "" {
		n := 1
		if len(text) >= 3 && text[0] == '\x1b' {
			n = 3
		}
		k := key(text[:n])
		switch k {
		case "\x03", "\x04", "\x1b", "Q":
			k = quit
		}
		keys, text = append(keys, k), text[n:]
	}
	return keys
}
