//go:build !linux

package supervise

import "syscall"

// dieWithParent does nothing here: a child learns of its parent's death from the pipe alone.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
