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
