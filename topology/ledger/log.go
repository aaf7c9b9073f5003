package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// kept is how much of the log stays: some three million lines.
const kept = 1 << 30

// Log is the lines of all sources, in the order in which they came, in a file.
type Log struct {
	file *os.File
	mu   sync.Mutex // of all below
	size int64
	gone int64            // before that, nothing is kept
	from map[string]int64 // by source, where it goes on
}

// OpenLog makes an empty log in a file in dir that nobody else sees and that is gone with the process.
func OpenLog(dir string) (*Log, error) {
	f, err := os.CreateTemp(dir, "access-*.log")
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %w", err), f.Close())
	}
	return &Log{file: f, from: map[string]int64{}}, nil
}

// Close gives it back.
func (l *Log) Close() error { return l.file.Close() }

// add appends lines that begin at an offset of their source, and returns where the source is to go on. What is here
// already, because its sender did not hear so, is passed over. A source that is not known may have told its beginning
// to a ledger that is gone.
func (l *Log) add(source string, at int64, lines []byte) (next int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.from[source]
	if !ok {
		known = at
	}
	if at > known {
		return known, fmt.Errorf("ledger: %s goes on at %d, not at %d", source, known, at)
	}
	if at+int64(len(lines)) <= known {
		return known, nil
	}
	lines = lines[known-at:]
	if _, err := l.file.WriteAt(lines, l.size); err != nil {
		return known, fmt.Errorf("ledger: %w", err)
	}
	l.size += int64(len(lines))
	l.from[source] = known + int64(len(lines))
	if l.size-l.gone > kept+kept/8 {
		if err := forget(l.file, l.gone, l.size-kept); err == nil {
			l.gone = l.size - kept
		}
	}
	return l.from[source], nil
}

func (l *Log) end() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

// since returns a piece of what has been written since from.
func (l *Log) since(from int64) ([]byte, error) {
	l.mu.Lock()
	size, gone := l.size, l.gone
	l.mu.Unlock()
	if from < gone || from > size {
		return nil, fmt.Errorf("the log is kept from byte %d to %d, and %d is asked for", gone, size, from)
	}
	part := make([]byte, min(size-from, chunk))
	if _, err := l.file.ReadAt(part, from); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return part, nil
}
