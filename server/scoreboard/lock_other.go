//go:build unix && !linux

package scoreboard

import "golang.org/x/sys/unix"

// Locks of the process. A process opens its scoreboard once, which is all that they need.
const (
	cmdSetLock     = unix.F_SETLK
	cmdSetLockWait = unix.F_SETLKW
	cmdGetLock     = unix.F_GETLK
)
