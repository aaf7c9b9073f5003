package reconcile

import (
	"cmp"
	"os"
	"strings"
	"time"

	"balanceo/results/run"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
)

// sample is what processes have used until a moment.
type sample struct {
	servers, balancer map[int]time.Duration // processor time by pid, children that have ended included
	rss, balancerRSS  int64                 // bytes
}

// sampler takes a sample when the warm-up is over and one at the end.
type sampler struct {
	state *layout.State
	timer *time.Timer
	done  chan struct{} // closed once first is there
	first *sample       // nil: it could not be taken
}

// startSampler begins; nil where there are no processes that are known.
func startSampler(state *layout.State, warmup time.Duration) *sampler {
	if state == nil {
		return nil
	}
	s := &sampler{state: state, done: make(chan struct{})}
	s.timer = time.AfterFunc(warmup, func() {
		defer close(s.done)
		s.first, _ = takeSample(state) // without it there are no figures, which the record shows
	})
	return s
}

// stop takes the last sample; nil where the attack ended in its warm-up or the processes can't be looked at.
func (s *sampler) stop(requests int64) *run.Servers {
	if s == nil {
		return nil
	}
	if s.timer.Stop() {
		return nil
	}
	last, err := takeSample(s.state)
	<-s.done
	first := s.first
	if err != nil || first == nil || len(last.servers) == 0 {
		return nil
	}
	out := &run.Servers{
		CPU: used(first.servers, last.servers), NginxCPU: used(first.balancer, last.balancer), RSS: last.rss, BalancerRSS: last.balancerRSS,
	}
	if requests > 0 {
		out.CPUPerRequest = out.CPU / float64(requests)
	}
	return out
}

// used is the processor time between two samples. A process that has ended meanwhile is counted by its
// parent, if that waits for it; one that was started meanwhile counts from 0.
func used(first, last map[int]time.Duration) float64 {
	var sum time.Duration
	for pid, cpu := range last {
		sum += cpu - first[pid]
	}
	return max(sum.Seconds(), 0)
}

// takeSample looks at all descendants of the layout's topology process. Which of them is the balancer or the database is
// told by name and command line, and one that "topology run" started leads to this process; all others are instances.
func takeSample(state *layout.State) (*sample, error) {
	table, err := procs.Read()
	if err != nil {
		return nil, err
	}
	self := map[int]bool{} // this process and those that it descends from
	for pid := os.Getpid(); pid > 0 && !self[pid]; pid = table[pid].Parent {
		self[pid] = true
	}
	out := &sample{servers: map[int]time.Duration{}, balancer: map[int]time.Duration{}}
	for _, top := range table.Children(state.PID) {
		into, rss := out.servers, &out.rss
		switch {
		case self[top] || isDatabase(top):
			continue
		case isBalancer(state.Balancer, table[top].Name):
			into, rss = out.balancer, &out.balancerRSS
		}
		for queue := []int{top}; len(queue) > 0; {
			p := table[queue[0]]
			queue = append(queue[1:], table.Children(p.PID)...)
			into[p.PID] = p.CPU + p.Ended
			*rss += p.RSS
		}
	}
	return out, nil
}

// isBalancer tells whether a process of that name is the layout's balancer: Apache's is apache2 or httpd.
func isBalancer(balancer, program string) bool {
	return strings.HasPrefix(program, cmp.Or(balancer, "nginx")) || balancer == "apache" && program == "httpd"
}

func isDatabase(pid int) bool {
	command, err := procs.Command(pid)
	return err == nil && strings.Contains(command+" ", " database ")
}
