package tally

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"balanceo/results/run"
)

// Histograms hold microseconds, up to an hour (longer is counted as an hour), to three significant digits.
const (
	highest = int64(time.Hour / time.Microsecond)
	digits  = 3
)

// Histogram is a sparse HDR histogram: it takes a few kB where the usual one takes 188, so that there may be
// many, and 20 ns more a value. The zero value is empty.
type Histogram struct{ hdr *hdrhistogram.PackedHistogram }

// Add counts one value.
func (h *Histogram) Add(d time.Duration) {
	if h.hdr == nil {
		h.hdr = hdrhistogram.NewPacked(1, highest, digits)
	}
	_ = h.hdr.RecordValue(micros(d)) // fails only out of range
}

func micros(d time.Duration) int64 {
	return min(max(d.Round(time.Microsecond).Microseconds(), 0), highest)
}

// Merge adds what other counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.hdr == nil {
		return
	}
	if h.hdr == nil {
		h.hdr = hdrhistogram.NewPacked(1, highest, digits)
	}
	h.hdr.Merge(other.hdr)
}

// Latency is the distribution in the record's form, in seconds.
func (h *Histogram) Latency() run.Latency {
	if h.hdr == nil || h.hdr.TotalCount() == 0 {
		return run.Latency{}
	}
	v := h.hdr.ValueAtPercentilesSlice([]float64{50, 90, 95, 99, 99.9})
	return run.Latency{
		Min: seconds(h.hdr.Min()), Mean: h.hdr.Mean() / 1e6, Max: seconds(h.hdr.Max()),
		P50: seconds(v[0]), P90: seconds(v[1]), P95: seconds(v[2]), P99: seconds(v[3]), P999: seconds(v[4]),
	}
}

// optional is Latency, or LatencyHDR to keep; nil where there is none.
func (h *Histogram) optional(keep bool) (*run.Latency, error) {
	if h.Count() == 0 {
		return nil, nil
	}
	l := h.Latency()
	var err error
	if keep {
		l, err = h.LatencyHDR()
	}
	return &l, err
}

// Count is how many values there are.
func (h *Histogram) Count() int64 {
	if h.hdr == nil {
		return 0
	}
	return h.hdr.TotalCount()
}

// At is the value at a percentile.
func (h *Histogram) At(percentile float64) time.Duration {
	if h.hdr == nil {
		return 0
	}
	return time.Duration(h.hdr.ValueAtPercentile(percentile)) * time.Microsecond
}

// LatencyHDR is Latency with the whole histogram.
func (h *Histogram) LatencyHDR() (run.Latency, error) {
	l := h.Latency()
	if h.hdr == nil {
		return l, nil
	}
	hdr, err := h.hdr.Encode()
	if err != nil {
		return l, fmt.Errorf("encode latency histogram: %w", err)
	}
	l.HDR = string(hdr)
	return l, nil
}

// Lag is the distribution as how late requests were sent, in seconds.
func (h *Histogram) Lag() run.Lag {
	if h.hdr == nil {
		return run.Lag{}
	}
	v := h.hdr.ValueAtPercentilesSlice([]float64{50, 99})
	return run.Lag{P50: seconds(v[0]), P99: seconds(v[1]), Max: seconds(h.hdr.Max())}
}

func seconds(micros int64) float64 { return float64(micros) / 1e6 }
