package supervise

import (
	"os"
	"strings"
	"syscall"
)

// exitReason says for people how the child ended: "" if it was told to and obeyed.
func (c *child) exitReason(err error) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminated {
		if len(c.notes) == 0 {
			return ""
		}
		return c.withLast(joined(c.notes))
	}
	reason := c.withLast("exit status 0")
	switch {
	case killed(c.cmd.ProcessState): // its output knows nothing of that
		reason = err.Error()
	case err != nil:
		reason = c.withLast(err.Error())
	}
	return joined(append([]string{reason}, c.notes...))
}

// killed tells whether somebody ended the process by a signal that it does not raise itself.
func killed(state *os.ProcessState) bool {
	if state == nil {
		return false
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGTERM)
}

func (c *child) withLast(reason string) string {
	if last := c.tail.last(); last != "" {
		return reason + ": " + last
	}
	return reason
}

func joined(parts []string) string { return strings.Join(parts, "; ") }
