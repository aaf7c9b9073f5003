package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/procfs"

	"balanceo/topology/layout"
)

// clockTick is the unit of processor times in /proc. USER_HZ is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// takeSample looks at all descendants of the layout's topology process. Which of them is nginx or the
// database is told by the command line; all others are instances.
func takeSample(state *layout.State) (*sample, error) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("/proc: %w", err)
	}
	children := map[int][]procfs.ProcStat{}
	for _, p := range procs {
		if stat, err := p.Stat(); err == nil { // else it has just ended
			children[stat.PPID] = append(children[stat.PPID], stat)
		}
	}
	out := &sample{servers: map[int]time.Duration{}, nginx: map[int]time.Duration{}}
	for _, top := range children[state.PID] {
		into := out.servers
		switch {
		case top.Comm == "nginx":
			into = out.nginx
		case isDatabase(top.PID):
			continue
		}
		queue := []procfs.ProcStat{top}
		for len(queue) > 0 {
			p := queue[0]
			queue = append(queue[1:], children[p.PID]...)
			ticks := time.Duration(p.UTime) + time.Duration(p.STime) + time.Duration(p.CUTime) + time.Duration(p.CSTime)
			into[p.PID] = ticks * clockTick
			if top.Comm != "nginx" {
				out.rss += int64(p.ResidentMemory())
			}
		}
	}
	return out, nil
}

func isDatabase(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return false
	}
	args, err := p.CmdLine()
	return err == nil && len(args) > 1 && slices.Contains(args[1:], "database")
}
