package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Line is one line of a log.
type Line struct {
	Source string    // whose log
	Time   time.Time // zero: the line has none, as of a log that File did not write
	Text   string
}

// Source is a log to read.
type Source struct{ Name, Path string }

func parse(source, text string) Line {
	if strings.HasPrefix(text, "{") { // of an access log
		return Line{Source: source, Text: text}
	}
	if len(text) >= len(stamp) {
		if at, err := time.Parse(stamp, text[:len(stamp)]); err == nil {
			return Line{source, at, cutOwnTime(text[len(stamp):])}
		}
	}
	if at, text, ok := cutNginxTime(text); ok {
		return Line{source, at, text}
	}
	return Line{Source: source, Text: text}
}

// cutOwnTime removes the time that log/slog begins a line with: the stamp has it already.
func cutOwnTime(text string) string {
	if after, ok := strings.CutPrefix(text, "time="); ok {
		at, rest, _ := strings.Cut(after, " ")
		if _, err := time.Parse(time.RFC3339Nano, at); err == nil {
			return rest
		}
	}
	return text
}

// nginxTime is how nginx begins the lines of its error log, in local time.
const nginxTime = "2006/01/02 15:04:05 "

func cutNginxTime(text string) (time.Time, string, bool) {
	if len(text) < len(nginxTime) {
		return time.Time{}, text, false
	}
	at, err := time.ParseInLocation(nginxTime, text[:len(nginxTime)], time.Local)
	return at, text[len(nginxTime):], err == nil
}

// Last returns the last n lines of the sources together, by time. A log that is not there has none.
func Last(n int, sources ...Source) ([]Line, error) {
	var all []Line
	for _, s := range sources {
		lines, err := last(n, s)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	slices.SortStableFunc(all, byTime)
	return all[max(0, len(all)-n):], nil
}

func byTime(a, b Line) int { return a.Time.Compare(b.Time) }

func last(n int, s Source) ([]Line, error) {
	var lines []Line
	// The moved files first, from the oldest on, unless the newest has enough.
	for i := Keep; i >= 0; i-- {
		path := s.Path
		if i > 0 {
			path += "." + strconv.Itoa(i)
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = each(f, func(text string) {
			lines = append(lines, parse(s.Name, text))
			if len(lines) > 2*n+1000 {
				lines = slices.Clone(lines[len(lines)-n:])
			}
		})
		_ = f.Close()
		if err != nil {
			return nil, err
		}
	}
	// A line without a time came with the one before.
	for i := 1; i < len(lines); i++ {
		if lines[i].Time.IsZero() {
			lines[i].Time = lines[i-1].Time
		}
	}
	return lines[max(0, len(lines)-n):], nil
}

func each(r io.Reader, visit func(text string)) error {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadString('\n')
		if text != "" {
			visit(strings.TrimRight(text, "\r\n"))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// followEvery is how often Follow looks for new lines.
const followEvery = 100 * time.Millisecond

// Follow calls visit with the lines that are written to the sources from now on, until ctx is done. It goes
// on when a log is moved away or appears later.
func Follow(ctx context.Context, visit func(Line), sources ...Source) error {
	tails := make([]*tail, len(sources))
	for i, s := range sources {
		tails[i] = &tail{source: s}
		if err := tails[i].open(io.SeekEnd); err != nil {
			return err
		}
		defer tails[i].close()
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		var lines []Line
		for _, t := range tails {
			more, err := t.read()
			if err != nil {
				return err
			}
			lines = append(lines, more...)
		}
		slices.SortStableFunc(lines, byTime)
		for _, l := range lines {
			visit(l)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lingering is how long a log that was moved away is still read: processes that write to it, as those of nginx, open the
// new one each in its own time.
const lingering = 3 * time.Second

// tail reads what is added to one log.
type tail struct {
	source Source
	opened // nil file: there is none

	before opened // where it was moved away from, until then
	until  time.Time
}

// opened is a log that is read.
type opened struct {
	f    *os.File
	rest []byte // what was read after the last whole line; a busy log is read into the same memory again and again
}

// piece is how much of a log is read at once.
const piece = 64 << 10

func (t *tail) open(whence int) error {
	f, err := os.Open(t.source.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, whence); err != nil {
		_ = f.Close()
		return err
	}
	t.f = f
	return nil
}

func (t *tail) close() {
	t.opened.close()
	t.before.close()
}

func (o *opened) close() {
	if o.f != nil {
		_ = o.f.Close()
	}
	*o = opened{}
}

// read returns the whole lines that are new. It follows the path, not the file.
func (t *tail) read() (out []Line, err error) {
	if t.before.f != nil {
		over := time.Now().After(t.until)
		if out, err = t.before.lines(t.source.Name); err != nil {
			return out, err
		}
		if over {
			t.before.close()
		}
	}
	for {
		if t.f == nil {
			if err := t.open(io.SeekStart); err != nil || t.f == nil {
				return out, err
			}
		}
		moved := t.moved()
		more, err := t.lines(t.source.Name)
		out = append(out, more...)
		if err != nil || !moved {
			return out, err
		}
		t.before.close()
		t.before, t.opened, t.until = t.opened, opened{}, time.Now().Add(lingering)
	}
}

// lines returns the whole lines that were not read yet.
func (o *opened) lines(source string) (out []Line, err error) {
	for {
		o.rest = slices.Grow(o.rest, piece)
		n, err := o.f.Read(o.rest[len(o.rest) : len(o.rest)+piece])
		o.rest = o.rest[:len(o.rest)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	rest := o.rest
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			o.rest = append(o.rest[:0], rest...)
			return out, nil
		}
		out = append(out, parse(source, string(bytes.TrimRight(line, "\r"))))
		rest = after
	}
}

// moved tells whether the path leads to another file now. It is asked before reading, so that nothing that
// was written before the move is missed.
func (t *tail) moved() bool {
	open, err := t.f.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(t.source.Path)
	return err == nil && !os.SameFile(open, there)
}
