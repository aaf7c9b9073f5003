package tally

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"balanceo/results/run"
)

// A series has at most maxPoints points; a longer attack has each of them stand for 2, 4, … seconds.
// Two significant digits are enough for a point: they take about 2 kB where three would take 20.
const (
	maxPoints    = 3600
	seriesDigits = 2
	settled      = 8 // points behind the newest one that hardly get another hit
)

// series is what happened in each second, by when requests were due. The zero value is empty.
type series struct {
	width  int // seconds a point stands for; 0: one
	points []point
}

type point struct {
	sent, errors, retries int64
	latency               *hdrhistogram.PackedHistogram
}

// at is the point of a hit that was due then.
func (s *series) at(due time.Duration) *point {
	s.width = max(s.width, 1)
	i := int(due/time.Second) / s.width
	for i >= maxPoints {
		s.coarsen()
		i = int(due/time.Second) / s.width
	}
	for len(s.points) <= i {
		s.points = append(s.points, point{})
		if old := len(s.points) - settled; old >= 0 && s.points[old].latency != nil {
			s.points[old].latency.Compact()
		}
	}
	return &s.points[i]
}

func (s *series) add(due, latency time.Duration, failed bool) {
	p := s.at(due)
	p.sent++
	if failed {
		p.errors++
		return
	}
	if p.latency == nil {
		p.latency = newSparse()
	}
	_ = p.latency.RecordValue(micros(latency)) // fails only out of range
}

func newSparse() *hdrhistogram.PackedHistogram {
	return hdrhistogram.NewPacked(1, highest, seriesDigits)
}

// coarsen makes one point out of two.
func (s *series) coarsen() {
	for i := range s.points {
		if i%2 == 1 {
			s.points[i/2].merge(&s.points[i])
		} else {
			s.points[i/2] = s.points[i]
		}
	}
	half := (len(s.points) + 1) / 2
	clear(s.points[half:])
	s.points = s.points[:half]
	s.width *= 2
}

func (p *point) merge(other *point) {
	p.sent += other.sent
	p.errors += other.errors
	p.retries += other.retries
	if other.latency == nil {
		return
	}
	if p.latency == nil {
		p.latency = newSparse()
	}
	p.latency.Merge(other.latency)
}

// merge adds other, which may be coarsened in doing so.
func (s *series) merge(other *series) {
	s.width, other.width = max(s.width, 1), max(other.width, 1)
	for s.width < other.width {
		s.coarsen()
	}
	for other.width < s.width {
		other.coarsen()
	}
	for len(s.points) < len(other.points) {
		s.points = append(s.points, point{})
	}
	for i := range other.points {
		s.points[i].merge(&other.points[i])
	}
}

func (s *series) record(keep bool) ([]run.Point, error) {
	out := make([]run.Point, 0, len(s.points))
	for i, p := range s.points {
		r := run.Point{T: float64(i * s.width), Sent: p.sent, Errors: p.errors}
		var err error
		if r.P50, r.P99, r.HDR, err = p.quantiles(keep); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// seconds are the points of one upstream, as wide and as many as those of all.
func (s *series) seconds(all *series, keep bool) ([]run.Second, error) {
	s.width = max(s.width, 1)
	for s.width < all.width {
		s.coarsen()
	}
	out := make([]run.Second, len(all.points))
	for i, p := range s.points[:min(len(s.points), len(out))] {
		r := run.Second{Requests: p.sent, Retries: p.retries, Errors: p.errors}
		var err error
		if r.P50, r.P99, r.HDR, err = p.quantiles(keep); err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

// quantiles are p50 and p99 and, to keep, the whole histogram.
func (p *point) quantiles(keep bool) (p50, p99 float64, hdr string, err error) {
	if p.latency == nil {
		return 0, 0, "", nil
	}
	v := p.latency.ValueAtPercentilesSlice([]float64{50, 99})
	if keep {
		text, err := p.latency.Encode()
		if err != nil {
			return 0, 0, "", fmt.Errorf("encode latency histogram: %w", err)
		}
		hdr = string(text)
	}
	return seconds(v[0]), seconds(v[1]), hdr, nil
}
