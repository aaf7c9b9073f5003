package scoreboard

import "golang.org/x/sys/unix"

// Locks of the open file, so that closing another descriptor of the same file does not drop them.
const (
	cmdSetLock     = unix.F_OFD_SETLK
	cmdSetLockWait = unix.F_OFD_SETLKW
	cmdGetLock     = unix.F_OFD_GETLK
)
