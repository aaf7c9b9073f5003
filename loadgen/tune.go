package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"balanceo/loadgen/pace"
)

// oneCoreRate is the rate up to which the generator keeps to one core, in requests per second: at that rate it
// has half of it left, and threads that look for work in vain cost a quarter more.
const oneCoreRate = 10000

// busyGCPercent is how much the heap grows between collections above oneCoreRate. What is alive is a few
// megabytes, next to which each hit leaves 2 kB behind, in vegeta and net/http; so collections at Go's own 100
// would take a twentieth of the time. Below oneCoreRate they are cheap, and the memory used stays closer to
// what is alive.
const busyGCPercent = 400

// tune sets the runtime up for a schedule: it returns on how many cores the generator runs, each of which
// gets an attacker of its own, and how to undo it. $GOMAXPROCS and $GOGC overrule it.
func tune(s pace.Schedule) (cores int, undo func()) {
	before := runtime.GOMAXPROCS(0)
	cores, gc := before, busyGCPercent
	if s.Paced() && s.Peak() <= oneCoreRate {
		cores, gc = 1, 100
	}
	if os.Getenv("GOMAXPROCS") != "" {
		cores = before
	}
	runtime.GOMAXPROCS(cores)
	if os.Getenv("GOGC") != "" {
		return cores, func() { runtime.GOMAXPROCS(before) }
	}
	gc = debug.SetGCPercent(gc)
	return cores, func() {
		runtime.GOMAXPROCS(before)
		debug.SetGCPercent(gc)
	}
}
