//go:build unix && !linux

package scoreboard

import (
	"os"

	"golang.org/x/sys/unix"
)

// Locks of the process. A process opens its scoreboard once, which is all that they need.
const (
	cmdSetLock     = unix.F_SETLK
	cmdSetLockWait = unix.F_SETLKW
	cmdGetLock     = unix.F_GETLK
)

// anonymousFile is a file without a name, which ends with the process.
func anonymousFile() (*os.File, error) {
	f, err := os.CreateTemp("", "balanceo-scoreboard-*")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// reserve gives f that size and the space for it.
func reserve(f *os.File, size int64) error { return fill(f, size) }
