package procs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// clockTick is the unit of processor times in /proc. USER_HZ is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// Read looks at all processes now.
func Read() (Table, error) { return read(func(int) bool { return true }) }

// Groups looks at the processes of the groups that leaders lead or led, which costs much less than to look at all.
func Groups(leaders []int) (Table, error) {
	return read(func(pid int) bool {
		group, err := unix.Getpgid(pid)
		return err == nil && slices.Contains(leaders, group)
	})
}

func read(wanted func(pid int) bool) (Table, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	table := make(Table, len(all))
	page := int64(os.Getpagesize())
	for _, p := range all {
		if !wanted(p.PID) {
			continue
		}
		s, err := p.Stat()
		if err != nil || s.State == "Z" || s.State == "X" {
			continue // ended meanwhile
		}
		table[p.PID] = Process{
			PID: p.PID, Parent: s.PPID, Group: s.PGRP, Name: s.Comm,
			CPU:   time.Duration(s.CPUTime() * float64(time.Second)),
			Ended: time.Duration(s.CUTime+s.CSTime) * clockTick,
			RSS:   int64(s.RSS) * page,
		}
	}
	return table, nil
}

// Stopped tells whether a process stands still by a signal, or under a debugger.
func Stopped(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return false
	}
	s, err := p.Stat()
	return err == nil && (s.State == "T" || s.State == "t")
}

// Command returns the command line of a process.
func Command(pid int) (string, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	args, err := p.CmdLine()
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	return strings.Join(args, " "), nil
}

// Program returns the file that a process runs, as it was when the process began, whatever stands at its path now.
func Program(pid int) ([]byte, error) { return os.ReadFile(fmt.Sprintf("/proc/%d/exe", pid)) }

// States of a socket, by Linux's include/net/tcp_states.h.
const (
	established = 0x01
	listening   = 0x0a
)

// socket is one TCP socket of this machine.
type socket struct {
	port, state uint64
	inode       uint64 // by which /proc/PID/fd names it; 0: it belongs to no process any more
}

// sockets lists the TCP sockets of both versions of IP.
func sockets() ([]socket, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("sockets: %w", err)
	}
	var out []socket
	//lint:ignore SA1019 netlink, which is to be used instead, would be one more library for the same lines
	for _, read := range []func() (procfs.NetTCP, error){fs.NetTCP, fs.NetTCP6} { //nolint:staticcheck // the same
		lines, err := read()
		if err != nil && !errors.Is(err, os.ErrNotExist) { // without IPv6 its file is missing
			return nil, fmt.Errorf("sockets: %w", err)
		}
		for _, l := range lines {
			out = append(out, socket{l.LocalPort, l.St, l.Inode})
		}
	}
	return out, nil
}

// Connections counts the established TCP connections to each local port.
func Connections() (map[int]int, error) {
	all, err := sockets()
	if err != nil {
		return nil, err
	}
	count := map[int]int{}
	for _, s := range all {
		if s.state == established {
			count[int(s.port)]++
		}
	}
	return count, nil
}

// OnPort returns the oldest process that listens on port or, if none does, that has it as its own end of a
// connection: then listens is false. A pid of 0: there is none, or it may not be looked at.
func OnPort(port int) (pid int, listens bool) {
	all, err := sockets()
	if err != nil {
		return 0, false
	}
	var listeners, others []string
	for _, s := range all {
		name := fmt.Sprintf("socket:[%d]", s.inode)
		switch {
		case int(s.port) != port || s.inode == 0:
		case s.state == listening:
			listeners = append(listeners, name)
		default:
			others = append(others, name)
		}
	}
	if pid := owner(listeners); pid != 0 {
		return pid, true
	}
	return owner(others), false
}

// owner returns the process that has one of the sockets open. A master that hands its socket to workers is the
// oldest of several.
func owner(names []string) (pid int) {
	if len(names) == 0 {
		return 0
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return 0
	}
	for _, p := range all {
		targets, err := p.FileDescriptorTargets()
		if err != nil || pid != 0 && pid < p.PID {
			continue // another user's, or gone; or not the oldest
		}
		if slices.ContainsFunc(targets, func(t string) bool { return slices.Contains(names, t) }) {
			pid = p.PID
		}
	}
	return pid
}
