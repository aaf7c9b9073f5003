package reconcile

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"balanceo/topology/layout"
)

// clockTick is the unit of processor times in /proc. USER_HZ is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// takeSample looks at all descendants of the layout's topology process. Which of them is the balancer or the database is
// told by name and command line, and one that "topology run" started leads to this process; all others are instances.
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
	self := ancestors()
	out := &sample{servers: map[int]time.Duration{}, balancer: map[int]time.Duration{}}
	for _, top := range children[state.PID] {
		into, rss := out.servers, &out.rss
		switch {
		case self[top.PID] || isDatabase(top.PID):
			continue
		case isBalancer(state.Balancer, top.Comm):
			into, rss = out.balancer, &out.balancerRSS
		}
		queue := []procfs.ProcStat{top}
		for len(queue) > 0 {
			p := queue[0]
			queue = append(queue[1:], children[p.PID]...)
			ticks := time.Duration(p.UTime) + time.Duration(p.STime) + time.Duration(p.CUTime) + time.Duration(p.CSTime)
			into[p.PID] = ticks * clockTick
			*rss += int64(p.ResidentMemory())
		}
	}
	return out, nil
}

// ancestors are this process and those that it descends from.
func ancestors() map[int]bool {
	out := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !out[pid]; {
		out[pid] = true
		p, err := procfs.NewProc(pid)
		if err != nil {
			break
		}
		stat, err := p.Stat()
		if err != nil {
			break
		}
		pid = stat.PPID
	}
	return out
}

// isBalancer tells whether a process of that name is the layout's balancer: Apache's is apache2 or httpd.
func isBalancer(balancer, comm string) bool {
	return strings.HasPrefix(comm, cmp.Or(balancer, "nginx")) || balancer == "apache" && comm == "httpd"
}

func isDatabase(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return false
	}
	args, err := p.CmdLine()
	return err == nil && len(args) > 1 && slices.Contains(args[1:], "database")
}
