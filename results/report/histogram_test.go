package report

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"balanceo/results/console"
	"balanceo/results/run"
)

// TestHistogram counts what is drawn: all answers, in few rows that fit.
func TestHistogram(t *testing.T) {
	for name, values := range map[string][]int64{
		"two kinds":      {200, 210, 220, 250, 100_000},
		"narrow":         {10_000, 10_100, 10_200, 10_900},
		"over all times": {7, 90, 1_000, 20_000, 300_000, 4_000_000, 50_000_000, 600_000_000},
		"one":            {500},
	} {
		for _, width := range []int{40, 80, 120} {
			h := hdrhistogram.New(1, 3_600_000_000, 3)
			for _, v := range values {
				if err := h.RecordValues(v, 10); err != nil {
					t.Fatal(err)
				}
			}
			l, err := run.Summarize(h, true)
			if err != nil {
				t.Fatal(err)
			}
			p := &page{Options: Options{Width: width}, paint: console.Painter(false)}
			p.histogram(&run.Record{Latency: l})
			lines := strings.Split(strings.TrimSpace(p.b.String()), "\n")
			sum := 0
			for _, line := range lines {
				if n := console.Columns(line); n > width {
					t.Errorf("%s, width %d: a line of %d: %q", name, width, n, line)
				}
				if m := regexp.MustCompile(`(\d+)  *[\d.]+ %$|(\d+)$`).FindStringSubmatch(line); m != nil {
					n, _ := strconv.Atoi(m[1] + m[2])
					sum += n
				}
			}
			if want := 10 * len(values); name != "one" && (sum != want || len(lines) > mostRows+2) || name == "one" && len(lines) > 1 {
				t.Errorf("%s, width %d: %d answers in %d lines, want %d:\n%s", name, width, sum, len(lines), want, p.b.String())
			}
		}
	}
}
