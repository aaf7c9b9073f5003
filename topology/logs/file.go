// Package logs keeps what the processes of a layout write: files of bounded size whose lines carry the
// time, so that several can be read as one.
package logs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// Bounds of one process's logs.
const (
	MaxSize = 8 << 20 // bytes; a larger file is moved to NAME.log.1
	Keep    = 3       // moved files kept
)

// stamp is the time at the beginning of each line, in UTC. Its length is fixed and its texts sort by time.
const stamp = "2006-01-02T15:04:05.000Z "

// File is a log that is moved away when it has grown too large. It may be written from several goroutines.
type File struct {
	path string
	max  int64
	keep int
	now  func() time.Time

	mu     sync.Mutex
	f      *os.File // nil: to be opened
	size   int64    // since it was moved last
	rest   []byte   // begun line
	closed bool
}

// Open opens the log at path to write at its end.
func Open(path string) (*File, error) {
	l := &File{path: path, max: MaxSize, keep: Keep, now: time.Now}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *File) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("log: %w", err)
	}
	l.f, l.size = f, info.Size()
	return nil
}

// maxLine bounds what is held back of a line that does not end.
const maxLine = 64 << 10

// Write takes text in any pieces and writes whole lines.
func (l *File) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, text...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 && len(l.rest) < maxLine {
			return len(text), nil
		}
		if i < 0 {
			i = len(l.rest) - 1
		}
		if err := l.line(l.rest[:i+1]); err != nil {
			l.rest = nil
			return 0, err
		}
		l.rest = append(l.rest[:0], l.rest[i+1:]...)
	}
}

func (l *File) line(line []byte) error {
	if l.closed {
		return fmt.Errorf("log %q: %w", l.path, os.ErrClosed)
	}
	if l.f != nil && l.size >= l.max {
		l.rotate()
	}
	if l.f == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	out := append([]byte(l.now().UTC().Format(stamp)), bytes.TrimRight(line, "\r\n")...)
	n, err := l.f.Write(append(out, '\n'))
	l.size += int64(n)
	return err
}

// rotate moves the file away. Where that fails, as in a folder that may not be written to, the file goes on growing,
// and is tried again when it has grown as much.
func (l *File) rotate() {
	if err := Rotate(l.path, l.keep); err != nil {
		l.size = 0
		return
	}
	_ = l.f.Close()
	l.f = nil
}

// Rotate moves the file at path to .1, the one that was there to .2, and so on up to keep; the oldest falls away.
func Rotate(path string, keep int) error {
	for i := keep; i > 0; i-- {
		from := path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		if err := os.Rename(from, path+"."+strconv.Itoa(i)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("log: %w", err)
		}
	}
	return nil
}

// Close writes a begun line and closes the file.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	var err error
	if len(l.rest) > 0 {
		err = l.line(l.rest)
		l.rest = nil
	}
	l.closed = true
	if l.f != nil {
		err = errors.Join(err, l.f.Close())
	}
	return err
}
