package scoreboard

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The bytes of the file that stand for what is locked: the header while slots are given out, and each slot
// as long as its owner lives.
const headerByte = 0

func slotByte(i int) int64 { return headerSize + int64(i)*slotSize }

func byteLock(kind int16, at int64) *unix.Flock_t {
	return &unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1}
}

// lock takes the byte, if nobody else has it.
func lock(f *os.File, at int64) bool {
	return unix.FcntlFlock(f.Fd(), cmdSetLock, byteLock(unix.F_WRLCK, at)) == nil
}

func lockWait(f *os.File, at int64) error {
	for {
		err := unix.FcntlFlock(f.Fd(), cmdSetLockWait, byteLock(unix.F_WRLCK, at))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func unlock(f *os.File, at int64) {
	_ = unix.FcntlFlock(f.Fd(), cmdSetLock, byteLock(unix.F_UNLCK, at))
}

// locked tells whether somebody else has the byte.
func locked(f *os.File, at int64) bool {
	l := byteLock(unix.F_WRLCK, at)
	return unix.FcntlFlock(f.Fd(), cmdGetLock, l) == nil && l.Type != unix.F_UNLCK
}
