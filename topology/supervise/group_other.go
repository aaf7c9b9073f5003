//go:build unix && !linux

package supervise

import (
	"errors"
	"fmt"
	"syscall"
)

// processAttributes puts the child into a group of its own. There is no death signal here: a child learns
// of its parent's death from the pipe alone.
func processAttributes(attr *syscall.SysProcAttr, spec *Spec) *syscall.SysProcAttr {
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = !spec.SameGroup
	return attr
}

// groupAlive tells whether the group has a process left.
func groupAlive(pgid int) bool {
	err := syscall.Kill(-pgid, 0)
	return !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM)
}

func describeGroup(pgid int) string { return fmt.Sprintf("group %d", pgid) }
