package reconcile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"balanceo/topology/ledger"
)

// accessLog reads what a log has grown by since it was opened.
type accessLog interface {
	// lines calls f with each line that has been written since. The line is valid during the call only.
	lines(ctx context.Context, f func(line []byte)) error
	// whole tells what is missing in it, nil if nothing.
	whole() error
	close()
}

// remoteLog is a log in a ledger.
type remoteLog struct{ *ledger.Reader }

func (l remoteLog) lines(ctx context.Context, f func([]byte)) error { return l.Lines(ctx, f) }
func (remoteLog) whole() error                                      { return nil }
func (remoteLog) close()                                            {}

// logFile reads what a log has grown by since it was opened, over rotation: the file that was open at the
// beginning is read to its end even when it has been renamed, then the new one of that name from its start.
type logFile struct {
	path string
	file *os.File
	tail []byte // the beginning of a line whose end is not written yet
	cut  bool   // the file was shortened while it was read, so that lines are missing
	read int64
}

// openLog opens the log at its present end.
func openLog(path string) (*logFile, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("access log: %w", err)
	}
	return &logFile{path: path, file: f, read: end}, nil
}

// longest is the longest line that is taken for one.
const longest = 1 << 20

func (l *logFile) lines(_ context.Context, f func(line []byte)) error {
	for {
		if err := l.rest(f); err != nil {
			return err
		}
		next, err := l.rotated()
		if err != nil || next == nil {
			return err
		}
		// What was written between the last read and the rotation.
		err = l.rest(f)
		_ = l.file.Close()
		l.file, l.read, l.tail = next, 0, nil
		if err != nil {
			return err
		}
	}
}

// rest reads to the present end of the file.
func (l *logFile) rest(f func(line []byte)) error {
	info, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	if info.Size() < l.read {
		l.cut = true
		l.tail = nil
		if l.read, err = l.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("access log: %w", err)
		}
	}
	r := bufio.NewReaderSize(l.file, 64<<10)
	for {
		part, err := r.ReadSlice('\n')
		l.read += int64(len(part))
		switch {
		case err == nil && len(l.tail) == 0:
			f(bytes.TrimSpace(part))
		case err == nil:
			f(bytes.TrimSpace(append(l.tail, part...)))
			l.tail = l.tail[:0]
		case len(l.tail)+len(part) <= longest:
			l.tail = append(l.tail, part...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("access log: %w", err)
		}
	}
}

// rotated returns the file that was written after the one that is read, if there is one.
func (l *logFile) rotated() (*os.File, error) {
	old, err := l.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	newer := "" // where the newer one stands, if the log was moved as far as path.i
	for path, i := l.path, 1; ; path, i = l.path+"."+strconv.Itoa(i), i+1 {
		now, err := os.Stat(path)
		switch {
		case err == nil && os.SameFile(old, now):
			return openNewer(newer)
		case errors.Is(err, os.ErrNotExist) && path == l.path:
			return nil, nil // renamed, and nginx has not opened a new one yet
		case errors.Is(err, os.ErrNotExist): // it has fallen away, and with it perhaps others
			return openNewer(l.path)
		case err != nil:
			return nil, fmt.Errorf("access log: %w", err)
		}
		newer = path
	}
}

// openNewer opens a log; an empty path is none.
func openNewer(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	return openFile(path)
}

// openFile opens a log without waiting, as opening a pipe would until somebody writes into it. What can't be read from a
// place is refused: others would miss what is read.
func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("access log: %w", err)
	}
	return f, nil
}

func (l *logFile) whole() error {
	if l.cut {
		return fmt.Errorf("%s was cut off while the run lasted", l.path)
	}
	return nil
}

func (l *logFile) close() { _ = l.file.Close() }
