package supervise

import (
	"os/exec"
	"runtime"
	"syscall"
)

// RunWithParent runs a command once, in a group of its own, and lets the system end it when this process dies before
// it. What starting it has come to is sent to started, which must have room; the return value is how it ended.
func RunWithParent(cmd *exec.Cmd, started chan<- error) error {
	runtime.LockOSThread() // not unlocked: the system follows the thread, which ends with the goroutine or runs on
	cmd.SysProcAttr = processAttributes(cmd.SysProcAttr, &Spec{DeathSignal: syscall.SIGKILL})
	err := cmd.Start()
	started <- err
	if err != nil {
		return err
	}
	return cmd.Wait()
}
