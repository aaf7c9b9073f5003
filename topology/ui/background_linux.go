package ui

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// background lets everything else have the processor first, for as long as the calling goroutine lasts: what looks at a
// load is not to slow it down.
func background() {
	runtime.LockOSThread() // the thread ends with the goroutine, and its priority with it
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
}
