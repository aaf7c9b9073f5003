//go:build !linux

package procs

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Read looks at all processes now, with ps.
func Read() (Table, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-axo", "pid=,ppid=,pgid=,rss=,time=,stat=,ucomm=").Output()
	if err != nil {
		return nil, fmt.Errorf("processes: ps: %w", err)
	}
	return parse(string(out)), nil
}

// Groups looks at all processes: ps, too, looks at each to tell its group.
func Groups([]int) (Table, error) { return Read() }

func parse(text string) Table {
	table := Table{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 7 || strings.HasPrefix(f[5], "Z") {
			continue
		}
		var n [4]int
		ok := true
		for i := range n {
			var err error
			n[i], err = strconv.Atoi(f[i])
			ok = ok && err == nil
		}
		if ok {
			table[n[0]] = Process{PID: n[0], Parent: n[1], Group: n[2], RSS: int64(n[3]) << 10, CPU: clock(f[4]), Name: f[6]}
		}
	}
	return table
}

// clock reads ps's time: [[DD-]HH:]MM:SS[.cc].
func clock(text string) time.Duration {
	days, rest, ok := strings.Cut(text, "-")
	total := 0.0
	if ok {
		n, _ := strconv.ParseFloat(days, 64)
		total = n * 24
	} else {
		rest = text
	}
	for i, part := range strings.Split(rest, ":") {
		n, _ := strconv.ParseFloat(part, 64)
		if i == 0 && ok {
			total += n
			continue
		}
		total = total*60 + n
	}
	return time.Duration(total * float64(time.Second))
}

// Connections can't be counted here.
func Connections() (map[int]int, error) { return nil, errors.ErrUnsupported }

// Command returns the command line of a process.
func Command(pid int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("process %d: ps: %w", pid, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Program can't be told here.
func Program(int) ([]byte, error) { return nil, errors.ErrUnsupported }

// OnPort returns a process that listens on port, by lsof, which macOS and the BSDs have. 0: none does, or it may not
// be looked at.
func OnPort(port int) (pid int, listens bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "lsof", "-nP", "-t", "-iTCP:"+strconv.Itoa(port), "-sTCP:LISTEN").Output()
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(out), "\n")
	pid, err = strconv.Atoi(first)
	return pid, err == nil
}

// Stopped can't be told here.
func Stopped(int) bool { return false }
