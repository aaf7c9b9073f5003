package tally

import "time"

// Timeline counts what one upstream did by time, from the start of the attack, warm-up included.
type Timeline struct {
	Sent   Steps // answers, by when their requests were sent
	Done   Steps // answers, by when they were complete
	Bad    Steps // of these, those that were failures, by when their requests were sent
	Failed Steps // attempts that failed here and went on to another server, by when their requests were sent
}

// Steps counts by time, in steps of Width.
type Steps struct {
	Width time.Duration
	N     []uint32
}

// finest is the width of steps until there are mostSteps of them; then it doubles, as often as it takes.
const (
	finest    = 10 * time.Millisecond
	mostSteps = 1 << 13
)

// Add counts n at t.
func (s *Steps) Add(t time.Duration, n uint32) {
	if s.Width == 0 {
		s.Width = finest
	}
	i := int(max(t, 0) / s.Width)
	for i >= mostSteps {
		s.coarsen()
		i = int(t / s.Width)
	}
	for len(s.N) <= i {
		s.N = append(s.N, 0)
	}
	s.N[i] += n
}

func (s *Steps) coarsen() {
	half := s.N[:(len(s.N)+1)/2]
	for i := range half {
		sum := s.N[2*i]
		if 2*i+1 < len(s.N) {
			sum += s.N[2*i+1]
		}
		half[i] = sum
	}
	s.N = half
	s.Width *= 2
}

// Merge adds what other counted.
func (s *Steps) Merge(other *Steps) {
	for i, n := range other.N {
		if n > 0 {
			s.Add(time.Duration(i)*other.Width, n)
		}
	}
}

// Until is how many were counted before t: in steps that end by then.
func (s *Steps) Until(t time.Duration) int64 {
	var sum int64
	for i, n := range s.N {
		if time.Duration(i+1)*s.Width > t {
			break
		}
		sum += int64(n)
	}
	return sum
}

// Between is how many were counted in steps that begin in from..to.
func (s *Steps) Between(from, to time.Duration) (sum int64) {
	for i, n := range s.N {
		if at := time.Duration(i) * s.Width; from <= at && at <= to {
			sum += int64(n)
		}
	}
	return sum
}

// Around are the last step before t and the first one after it in which there is anything; without one, 0 and never.
func (s *Steps) Around(t, never time.Duration) (before, after time.Duration) {
	for i, n := range s.N {
		switch at := time.Duration(i) * s.Width; {
		case n > 0 && at+s.Width <= t:
			before = at
		case n > 0 && at > t:
			return before, at
		}
	}
	return before, never
}

// UnderWay is how many answers came after a time to requests that were sent before, to within a step.
func (t *Timeline) UnderWay(at time.Duration) int64 {
	width := max(t.Sent.Width, t.Done.Width, 1)
	before := at - at%width
	count := func(at time.Duration) int64 { return t.Sent.Until(at) - t.Done.Until(at) }
	return max(0, count(before), count(before+width))
}

// place counts when the servers worked on a hit.
func (a *answer) place(h *Hit) {
	if a.upstream != nil {
		a.upstream.time.Sent.Add(h.Sent, 1)
		a.upstream.time.Done.Add(h.Done, 1)
		if !h.OK() {
			a.upstream.time.Bad.Add(h.Sent, 1)
		}
	}
	for _, u := range a.failed {
		u.time.Failed.Add(h.Sent, 1)
	}
}

func (t *Timeline) merge(other *Timeline) {
	t.Sent.Merge(&other.Sent)
	t.Done.Merge(&other.Done)
	t.Bad.Merge(&other.Bad)
	t.Failed.Merge(&other.Failed)
}
