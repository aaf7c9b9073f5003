package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/results/units"
	"balanceo/topology/counts"
)

// together is how far apart processes may begin that are told of as one restart.
const together = time.Second

// countsAnew tells whether all processes that count began later: what those before them had counted is lost.
func (t told) countsAnew(since time.Time) bool {
	for _, p := range t.processes {
		if !p.Started.After(since) {
			return false
		}
	}
	return len(t.processes) > 0
}

// restarts finds the processes of a server that began meanwhile, by pid and start, and those that ended.
func (s *servers) restarts(addr string, before, after map[int]counts.Process, since time.Time) {
	var began, ended []int
	for _, pid := range slices.Sorted(maps.Keys(after)) {
		if after[pid].Started.After(since) {
			began = append(began, pid)
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(before)) {
		if now := after[pid]; before[pid].Alive && (!now.Alive || now.Started.After(before[pid].Started)) {
			ended = append(ended, pid)
		}
	}
	slices.SortStableFunc(began, func(a, b int) int { return after[a].Started.Compare(after[b].Started) })
	if len(began) == 0 && len(ended) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%s of %s ended, and none took its place: %s.",
			units.Count(int64(len(ended)), "process"), addr, strings.Trim(fmt.Sprint(ended), "[]")))
	}
	for len(began) > 0 {
		n := 1
		for n < len(began) && after[began[n]].Started.Sub(after[began[n-1]].Started) <= together {
			n++
		}
		r := distribution.Restart{Addr: addr, At: after[began[0]].Started, Began: began[:n], Ended: ended}
		s.restarted = append(s.restarted, r)
		if len(ended) <= n {
			ended = nil
		}
		for _, pid := range began[:n] {
			if !after[pid].Alive {
				ended = append(slices.Clone(ended), pid)
			}
		}
		began = began[n:]
	}
}
