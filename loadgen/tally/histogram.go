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

// histogram is a sparse HDR histogram: it takes a few kB where the usual one takes 188, so that there may be
// many, and 20 ns more a value. The zero value is empty.
type histogram struct{ hdr *hdrhistogram.PackedHistogram }

func (h *histogram) add(d time.Duration) {
	if h.hdr == nil {
		h.hdr = hdrhistogram.NewPacked(1, highest, digits)
	}
	_ = h.hdr.RecordValue(micros(d)) // fails only out of range
}

func micros(d time.Duration) int64 {
	return min(max(d.Round(time.Microsecond).Microseconds(), 0), highest)
}

func (h *histogram) merge(other *histogram) {
	if other.hdr == nil {
		return
	}
	if h.hdr == nil {
		h.hdr = hdrhistogram.NewPacked(1, highest, digits)
	}
	h.hdr.Merge(other.hdr)
}

// latency is the distribution in the record's form, in seconds.
func (h *histogram) latency() run.Latency {
	if h.hdr == nil || h.hdr.TotalCount() == 0 {
		return run.Latency{}
	}
	v := h.hdr.ValueAtPercentilesSlice([]float64{50, 90, 95, 99, 99.9})
	return run.Latency{
		Min: seconds(h.hdr.Min()), Mean: h.hdr.Mean() / 1e6, Max: seconds(h.hdr.Max()),
		P50: seconds(v[0]), P90: seconds(v[1]), P95: seconds(v[2]), P99: seconds(v[3]), P999: seconds(v[4]),
	}
}

// latencyHDR is latency with the whole histogram.
func (h *histogram) latencyHDR() (run.Latency, error) {
	l := h.latency()
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

func (h *histogram) lag() run.Lag {
	if h.hdr == nil {
		return run.Lag{}
	}
	v := h.hdr.ValueAtPercentilesSlice([]float64{50, 99})
	return run.Lag{P50: seconds(v[0]), P99: seconds(v[1]), Max: seconds(h.hdr.Max())}
}

func seconds(micros int64) float64 { return float64(micros) / 1e6 }
