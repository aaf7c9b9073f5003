package supervise

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/procs"
)

// processAttributes puts the child into a group of its own and lets it end with its parent.
func processAttributes(attr *syscall.SysProcAttr, spec *Spec) *syscall.SysProcAttr {
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = !spec.SameGroup
	dieWithParent(attr, spec.DeathSignal)
	return attr
}

// groupMembers are the living processes of the group. Zombies that nobody reaps, as in a container whose first
// process does not, count as dead.
func groupMembers(pgid int) []procs.Process {
	if err := syscall.Kill(-pgid, 0); errors.Is(err, syscall.ESRCH) {
		return nil
	}
	table, err := procs.Read()
	if err != nil {
		return []procs.Process{{PID: pgid}} // it answers to signals
	}
	return table.Group(pgid)
}

// waitGroup polls until the group has ended; there is no event for that.
func waitGroup(pgid int, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; len(groupMembers(pgid)) > 0; pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// describeGroup names the living processes of the group: "nginx (pid 17), nginx (pid 18)".
func describeGroup(pgid int) string {
	var names []string
	for _, p := range groupMembers(pgid) {
		names = append(names, fmt.Sprintf("%s (pid %d)", p.Name, p.PID))
	}
	if len(names) == 0 {
		return fmt.Sprintf("pid %d", pgid)
	}
	return strings.Join(names, ", ")
}
