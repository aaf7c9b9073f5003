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

// tryByte takes the byte, if nobody else has it.
func tryByte(f *os.File, at int64) bool {
	return unix.FcntlFlock(f.Fd(), cmdSetLock, byteLock(unix.F_WRLCK, at)) == nil
}

// takeByte waits for the byte and takes it.
func takeByte(f *os.File, at int64) error {
	for {
		err := unix.FcntlFlock(f.Fd(), cmdSetLockWait, byteLock(unix.F_WRLCK, at))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func giveByte(f *os.File, at int64) {
	_ = unix.FcntlFlock(f.Fd(), cmdSetLock, byteLock(unix.F_UNLCK, at))
}

// taken tells whether somebody else has the byte.
func taken(f *os.File, at int64) bool {
	l := byteLock(unix.F_WRLCK, at)
	return unix.FcntlFlock(f.Fd(), cmdGetLock, l) == nil && l.Type != unix.F_UNLCK
}

// fill writes zeros where f is shorter than size.
func fill(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	_, err = f.WriteAt(make([]byte, size-info.Size()), info.Size())
	return err
}
