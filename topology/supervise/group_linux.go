package supervise

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// processAttributes puts the child into a group of its own and asks the kernel to end it when the thread
// that starts it ends.
func processAttributes(attr *syscall.SysProcAttr, spec *Spec) *syscall.SysProcAttr {
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = !spec.SameGroup
	attr.Pdeathsig = spec.DeathSignal
	return attr
}

// groupAlive tells whether a process of the group lives. Zombies that nobody reaps, as in a container
// whose first process does not, count as dead.
func groupAlive(pgid int) bool {
	if err := syscall.Kill(-pgid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	return len(groupMembers(pgid)) > 0
}

type member struct {
	pid  int
	name string
}

// groupMembers lists the living processes of the group.
func groupMembers(pgid int) (members []member) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // ended meanwhile
		}
		// pid (name) state ppid pgrp …; the name may hold anything, also brackets.
		begin, end := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
		if begin < 0 || end < begin {
			continue
		}
		fields := strings.Fields(string(stat[end+1:]))
		if len(fields) < 3 || fields[0] == "Z" || fields[0] == "X" || fields[2] != strconv.Itoa(pgid) {
			continue
		}
		members = append(members, member{pid, string(stat[begin+1 : end])})
	}
	return members
}

// describeGroup names the living processes of the group: "nginx (pid 17), nginx (pid 18)".
func describeGroup(pgid int) string {
	var names []string
	for _, m := range groupMembers(pgid) {
		names = append(names, fmt.Sprintf("%s (pid %d)", m.name, m.pid))
	}
	if len(names) == 0 {
		return fmt.Sprintf("pid %d", pgid)
	}
	return strings.Join(names, ", ")
}
