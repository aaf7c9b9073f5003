package report

import (
	"math"
	"strings"
	"time"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/units"
)

const (
	mostRows = 12
	barWidth = 40 // at most
)

// row is how many latencies lie at or below a time, and above that of the row before.
type row struct {
	upTo  time.Duration
	count int64
}

// histogram draws how the latencies of the answers are distributed.
func (p *page) histogram(r *run.Record) {
	h, err := r.Latency.Histogram()
	if err != nil || h.Min() == h.Max() {
		return
	}
	// Rows end at round times: these figures times powers of ten, the first that need no more than mostRows.
	var rows []row
	for _, figures := range [][]float64{{1, 1.5, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}, {1}} {
		rows = ladder(h.Min(), h.Max(), figures)
		if len(rows) <= mostRows {
			break
		}
	}
	var most int64
	at := 0
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		// What the histogram keeps of a value is where its bucket begins and ends.
		for at < len(rows)-1 && time.Duration(bar.From)*time.Microsecond > rows[at].upTo {
			at++
		}
		rows[at].count += bar.Count
		most = max(most, rows[at].count)
	}
	t := &console.Table{Indent: 2, Columns: []console.Column{console.Right("up to", 0), console.Left("", 1), console.Right("answers", 0), console.Right("share", 2)}}
	width := min(barWidth, max(p.Width-34, 8))
	for _, row := range rows {
		bar := strings.Repeat("━", int(math.Ceil(float64(width)*float64(row.count)/float64(most))))
		t.Add(units.Format(row.upTo.Seconds(), units.Seconds), bar+strings.Repeat(" ", width-console.Columns(bar)), units.Number(float64(row.count)),
			units.Percent(float64(row.count)/float64(h.TotalCount())))
	}
	p.table("latency of the answers", t)
}

// ladder is rows for values from least to most microseconds.
func ladder(least, most int64, figures []float64) (rows []row) {
	for ten := 1.0; ; ten *= 10 {
		for _, f := range figures {
			upTo := f * ten
			if upTo < float64(least) {
				continue
			}
			rows = append(rows, row{upTo: time.Duration(upTo * float64(time.Microsecond))})
			if upTo >= float64(most) {
				return rows
			}
		}
	}
}
