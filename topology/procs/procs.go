// Package procs looks at the processes of this machine: who belongs to whom, and what each has used.
package procs

import (
	"slices"
	"time"
)

// Process is what is known of one process.
type Process struct {
	PID, Parent, Group int
	Name               string        // of its program, cut to 15 letters
	CPU                time.Duration // user and system time since its start
	Ended              time.Duration // the same of its children that have ended, where the system tells
	RSS                int64         // bytes of memory that are resident
}

// Table holds the living processes by pid. Zombies are not in it.
type Table map[int]Process

// Group returns the processes of the group that leader leads or led, in ascending order.
func (t Table) Group(leader int) []Process {
	var out []Process
	for _, p := range t {
		if p.Group == leader {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Process) int { return a.PID - b.PID })
	return out
}

// Children returns the pids of the processes that parent started and that live, in ascending order.
func (t Table) Children(parent int) []int {
	var out []int
	for _, p := range t {
		if p.Parent == parent {
			out = append(out, p.PID)
		}
	}
	slices.Sort(out)
	return out
}
