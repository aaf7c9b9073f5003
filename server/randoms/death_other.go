//go:build unix && !linux

package randoms

import "syscall"

// ofItsOwn keeps from a child what tells the parent's group to end. A child whose parent has died ends when it has
// drawn, and finds nobody to write to.
func ofItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
