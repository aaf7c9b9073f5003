package supervise

import "syscall"

// dieWithParent asks the kernel to end the child when the thread that starts it ends.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
