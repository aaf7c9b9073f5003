package run

import (
	"errors"
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ErrNoHistogram is a latency of which only single quantiles were kept.
var ErrNoHistogram = errors.New("the record holds no latency histogram")

// Histogram decodes the whole distribution, in microseconds.
func (l *Latency) Histogram() (*hdrhistogram.Histogram, error) {
	if l.HDR == "" {
		return nil, ErrNoHistogram
	}
	h, err := hdrhistogram.Decode([]byte(l.HDR))
	if err != nil {
		return nil, fmt.Errorf("decode latency histogram: %w", err)
	}
	return h, nil
}

// Summarize gives the figures of a histogram of microseconds. With keep the whole of it stays with them.
func Summarize(h *hdrhistogram.Histogram, keep bool) (Latency, error) {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e6 }
	l := Latency{
		Min: float64(h.Min()) / 1e6, Mean: h.Mean() / 1e6, P50: at(50), P90: at(90), P95: at(95), P99: at(99),
		P999: at(99.9), Max: float64(h.Max()) / 1e6,
	}
	if !keep {
		return l, nil
	}
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return l, fmt.Errorf("encode latency histogram: %w", err)
	}
	l.HDR = string(text)
	return l, nil
}

// MergedHistogram is the distribution of all requests of several runs. Runs without a histogram are passed
// over; it is ErrNoHistogram if none has one.
func MergedHistogram(runs []*Record) (*hdrhistogram.Histogram, error) {
	var sum *hdrhistogram.Histogram
	for _, r := range runs {
		h, err := r.Latency.Histogram()
		if errors.Is(err, ErrNoHistogram) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("run %q: %w", r.ID, err)
		}
		if sum == nil {
			sum = h
		} else {
			sum.Merge(h)
		}
	}
	if sum == nil {
		return nil, ErrNoHistogram
	}
	return sum, nil
}

// Supports tells whether n requests are enough to speak of the q-quantile: with a confidence of 95 % it then lies
// below the slowest of them, which is where 1-q^n is 0.95 at least. That takes 59 requests for p95, 299 for p99 and
// 2,995 for p99.9. Source: Hahn, Meeker, Statistical Intervals, 1991, section 5.2 (distribution-free bounds).
func Supports(q float64, n int64) bool { return 1-math.Pow(q, float64(n)) >= 0.95 }
