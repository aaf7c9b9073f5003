package procs

import (
	"context"
	"fmt"
	"os"
	"strings"
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

// Command returns the command line of a process.
func Command(_ context.Context, pid int) (string, error) {
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
