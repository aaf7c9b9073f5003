package scoreboard

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Locks of the open file, so that closing another descriptor of the same file does not drop them.
const (
	cmdSetLock     = unix.F_OFD_SETLK
	cmdSetLockWait = unix.F_OFD_SETLKW
	cmdGetLock     = unix.F_OFD_GETLK
)

// anonymousFile is memory that ends with the process.
func anonymousFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("scoreboard", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}

// reserve gives f that size and the space for it.
func reserve(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) { // a file system that can't
		return fill(f, size)
	}
	if err != nil {
		return &os.PathError{Op: "reserve space for", Path: f.Name(), Err: err}
	}
	return nil
}
