package store

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock is a file that processes lock against each other (flock(2)). The kernel releases it when the process
// ends, however it ends.
type lock struct{ f *os.File }

func openLock(name string) (*lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &lock{f}, nil
}

func (l *lock) tryExclusive() (bool, error) { return l.try(unix.LOCK_EX) }
func (l *lock) tryShared() (bool, error)    { return l.try(unix.LOCK_SH) }
func (l *lock) unlock() error               { return unix.Flock(int(l.f.Fd()), unix.LOCK_UN) }

// Close releases the lock.
func (l *lock) Close() error { return l.f.Close() }

func (l *lock) try(how int) (bool, error) {
	for {
		err := unix.Flock(int(l.f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("locking %q: %w", l.f.Name(), err)
		}
	}
}
