package procs

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// Read looks at all processes now.
func Read() (Table, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	all, err := fs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	table := make(Table, len(all))
	page := int64(os.Getpagesize())
	for _, p := range all {
		s, err := p.Stat()
		if err != nil || s.State == "Z" || s.State == "X" {
			continue // ended meanwhile
		}
		table[p.PID] = Process{
			PID: p.PID, Parent: s.PPID, Group: s.PGRP,
			CPU: time.Duration(s.CPUTime() * float64(time.Second)),
			RSS: int64(s.RSS) * page,
		}
	}
	return table, nil
}

// Connections counts the established TCP connections to each local port.
func Connections() (map[int]int, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("connections: %w", err)
	}
	const established = 0x01
	count := map[int]int{}
	four, err := fs.NetTCP()
	if err != nil {
		return nil, fmt.Errorf("connections: %w", err)
	}
	six, _ := fs.NetTCP6() // there is none where IPv6 is switched off
	for _, lines := range []procfs.NetTCP{four, six} {
		for _, l := range lines {
			if l.St == established {
				count[int(l.LocalPort)]++
			}
		}
	}
	return count, nil
}
