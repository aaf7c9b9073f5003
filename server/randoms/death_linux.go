package randoms

import "syscall"

// ofItsOwn lets a child live exactly as long as its parent needs it: what tells the parent's group to end does not
// reach it, because the parent still waits for the numbers; the parent's death does.
func ofItsOwn() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
