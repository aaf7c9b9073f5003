package main

import (
	"balanceo/loadgen/pace"
	"balanceo/topology/cli"
)

// schedule is when requests are due.
func (p *plan) schedule() (pace.Schedule, error) {
	if p.rate == 0 && !pace.OwnRates(p.paceText) {
		switch {
		case p.paceText != "constant":
			return pace.Schedule{}, cli.Usagef("-pace %q with -rate 0: as fast as it goes has no pace", p.paceText)
		case p.parts > 0:
			return pace.Schedule{}, cli.Usagef("-part with -rate 0: as fast as it goes has no schedule to take a part of")
		}
		return pace.Unpaced(p.warmup, p.duration).First(p.requests), nil
	}
	shape, err := pace.Parse(p.paceText, p.rate, p.duration, p.seed)
	if err != nil {
		return pace.Schedule{}, cli.Usagef("-pace %q: %w", p.paceText, err)
	}
	s := pace.NewSchedule(shape, p.warmup, p.duration)
	if p.requests > 0 {
		s = s.First(p.requests)
	}
	if p.parts > 0 {
		s = s.Part(p.part, p.parts)
	}
	if s.Measured() == 0 {
		return s, cli.Usagef("-rate %v: no request is due within -duration %v", p.rate, p.duration)
	}
	return s, nil
}

// workersFor is how many requests may be under way at once. A cap keeps an overloaded server from being
// buried under connections; the time that requests wait for a worker is counted as latency, so the cap hides
// nothing. Half a second's worth of requests is more than a healthy server ever has, and 512 connections are
// more than one machine can serve at once.
func (p *plan) workersFor(s pace.Schedule) int {
	switch {
	case p.workers > 0:
		return p.workers
	case !s.Paced():
		return 64
	}
	return int(min(max(s.Peak()/2, 64), 512))
}
