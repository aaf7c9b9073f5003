package reconcile

import (
	"time"

	"balanceo/results/run"
	"balanceo/topology/layout"
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
