// Package live shows an attack while it lasts: the rate, the failures, the latency of the last seconds, and
// who got which share. It only watches; nothing of the record comes from here.
package live

import (
	"math/bits"
	"strings"
	"sync"
	"time"

	"balanceo/loadgen/tally"
)

// window is over how many whole seconds the figures are taken.
const window = 3

// slots is how many seconds a Meter remembers: the window, the one that runs, and one to spare for hits that
// are late.
const slots = window + 2

// Meter watches the hits of one shard. Add is called by one goroutine at a time, read by another.
type Meter struct {
	mu    sync.Mutex
	ring  [slots]second
	total int64
}

// second is what finished in one second of the attack.
type second struct {
	at       int64 // which second plus 1; 0: none
	hits     int64
	failed   int64
	latency  buckets
	upstream map[place]int64 // answers
	retried  map[place]int64 // requests that it had first, and another one answered
}

// place is an upstream within its group.
type place struct{ Group, Addr string }

// maxPlaces bounds what a Meter remembers of the upstreams.
const maxPlaces = 64

// Add counts a hit.
func (m *Meter) Add(h *tally.Hit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total++
	s := m.slot(int64(h.Done / time.Second))
	s.hits++
	if h.Err != tally.NoError {
		s.failed++
	}
	s.latency.add(h.Done - h.Due)
	if h.Group == "" {
		return
	}
	answered := h.Tried
	for {
		first, rest, again := strings.Cut(answered, ", ")
		if !again {
			break
		}
		count(s.retried, place{h.Group, first})
		answered = rest
	}
	count(s.upstream, place{h.Group, answered[strings.LastIndexByte(answered, ' ')+1:]}) // "A : B" is an internal redirect
}

func count(of map[place]int64, p place) {
	if _, known := of[p]; known || len(of) < maxPlaces {
		of[p]++
	}
}

func (m *Meter) slot(at int64) *second {
	s := &m.ring[at%slots]
	if s.at != at+1 {
		clear(s.upstream)
		clear(s.retried)
		*s = second{at: at + 1, upstream: s.upstream, retried: s.retried}
		if s.upstream == nil {
			s.upstream, s.retried = map[place]int64{}, map[place]int64{}
		}
	}
	return s
}

// sum adds the seconds [from, to) to s.
func (m *Meter) sum(s *second, from, to int64) (total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.ring {
		one := &m.ring[i]
		if one.at <= from || one.at > to {
			continue
		}
		s.hits += one.hits
		s.failed += one.failed
		for b, n := range one.latency {
			s.latency[b] += n
		}
		for p, n := range one.upstream {
			s.upstream[p] += n
		}
		for p, n := range one.retried {
			s.retried[p] += n
		}
	}
	return m.total
}

// buckets is a histogram of microseconds with eight buckets to each power of two, so a quantile is right
// within 12 %: enough to look at, in 2 kB.
type buckets [64 * 8]uint32

func (b *buckets) add(d time.Duration) {
	us := uint64(max(0, d.Microseconds()))
	b[bucket(us)]++
}

func bucket(us uint64) int {
	if us < 8 {
		return int(us)
	}
	exp := bits.Len64(us) - 4 // so that us>>exp lies in 8..15
	return (exp+1)*8 + int(us>>exp) - 8
}

// quantile is the lower end of the bucket in which the q-th part of the values ends.
func (b *buckets) quantile(q float64) time.Duration {
	var all uint64
	for _, n := range b {
		all += uint64(n)
	}
	left := int64(q * float64(all))
	for i, n := range b {
		if left -= int64(n); left < 0 {
			return time.Duration(bottom(i)) * time.Microsecond
		}
	}
	return 0
}

func bottom(i int) uint64 {
	if i < 8 {
		return uint64(i)
	}
	return uint64(i%8+8) << (i/8 - 1)
}
