// Package lock has files that processes lock against each other (flock(2)). The kernel releases a lock when the
// process that holds it ends, however it ends.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// File is a lock that is open and perhaps held. It is not for use by several goroutines at once.
type File struct{ f *os.File }

// Open opens the lock file at path, for this user only, and makes it where it is missing. It is not held yet.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return &File{f}, nil
}

// TryExclusive takes the lock alone. False: somebody else holds it.
func (l *File) TryExclusive() (bool, error) { return l.try(unix.LOCK_EX) }

// TryShared takes the lock together with others that share it. False: somebody holds it alone.
func (l *File) TryShared() (bool, error) { return l.try(unix.LOCK_SH) }

// Unlock gives the lock back; it can be taken again.
func (l *File) Unlock() error { return unix.Flock(int(l.f.Fd()), unix.LOCK_UN) }

// Close gives the lock back for good.
func (l *File) Close() error { return l.f.Close() }

func (l *File) try(how int) (bool, error) {
	for {
		err := unix.Flock(int(l.f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("lock %q: %w", l.f.Name(), err)
		}
	}
}

// ErrHeld is a lock that another process holds.
var ErrHeld = errors.New("another process holds it")

// Wait opens the lock file at path and takes it alone. It waits for that until ctx is done, at most for limit; if
// another process holds it then, the error is ErrHeld.
func Wait(ctx context.Context, path string, limit time.Duration) (*File, error) {
	l, err := Open(path)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(limit)
	for {
		held, err := l.TryExclusive()
		switch {
		case held:
			return l, nil
		case err == nil && time.Now().After(deadline):
			err = fmt.Errorf("lock %q: %w", path, ErrHeld)
		}
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		select { // flock(2) itself can't be given up
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), l.Close())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
