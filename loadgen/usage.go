package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"balanceo/results/run"
)

// usage is what this process has used so far.
type usage struct{ cpu time.Duration }

func newUsage() usage {
	cpu, _ := selfUsage()
	return usage{cpu}
}

// since is what was used since then.
func (u usage) since() run.Generator {
	cpu, rss := selfUsage()
	return run.Generator{CPU: (cpu - u.cpu).Seconds(), MaxRSS: rss}
}

// selfUsage is the processor time, user and system, of this process and its greatest resident size in bytes.
func selfUsage() (cpu time.Duration, rss int64) {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return 0, 0
	}
	rss = ru.Maxrss
	if runtime.GOOS != "darwin" {
		rss *= 1024 // kilobytes everywhere else
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), rss
}
