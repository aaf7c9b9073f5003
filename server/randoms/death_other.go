//go:build unix && !linux

package randoms

import "syscall"

// diesWithParent is nothing here: a child whose parent has died ends when it has drawn, or when it finds
// nobody to write to.
func diesWithParent() *syscall.SysProcAttr { return nil }
