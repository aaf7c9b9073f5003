package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/units"
)

// lineHeight is the height of the plots of lines.
const lineHeight = 255

func addLine(p *plot.Plot, points plotter.XYs, series int, thin bool) {
	if len(points) == 0 {
		return
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return // values that are no numbers: there is nothing to draw
	}
	line.Color, line.Width, line.Dashes = seriesColor(series), 2, seriesDash(series)
	if thin {
		line.Width = 0.9
	}
	p.Add(line)
}

// Percentiles draws the latency of each set over the percentile, on HdrHistogram's axis that gives each further
// nine the same room. False where no record holds a histogram.
func Percentiles(sets []compare.Set) (Figure, bool) {
	f := Figure{
		Title: "Latency by percentile",
		Caption: "How long a request waited, counted from when it was due: at 99 % on the axis, one in a hundred took longer. " +
			"Each step to the right is ten times rarer.",
		Columns: []string{"percentile"},
	}
	quantiles := []float64{50, 75, 90, 95, 99, 99.9, 99.99}
	for _, q := range quantiles {
		f.Rows = append(f.Rows, []string{fmt.Sprintf("%g %%", q)})
	}
	p := newPlot("percentile", "latency")
	low, high, right := math.Inf(1), math.Inf(-1), 0.0
	var alts []string
	for i, set := range sets {
		h, err := run.MergedHistogram(rated(set))
		if err != nil || h.TotalCount() == 0 {
			continue
		}
		at := func(q float64) float64 { return math.Max(float64(h.ValueAtQuantile(q)), 1) / 1e6 }
		// Beyond one request in n there is nothing to see.
		end := min(math.Log10(float64(h.TotalCount())), 5)
		var points plotter.XYs
		for x := 0.0; x <= end+1e-9; x += 0.02 {
			y := math.Log10(at(100 * (1 - math.Pow(10, -x))))
			points = append(points, plotter.XY{X: x, Y: y})
			low, high = min(low, y), max(high, y)
		}
		right = max(right, end)
		addLine(p, points, i, false)
		f.Columns = append(f.Columns, set.Name)
		for k, q := range quantiles {
			f.Rows[k] = append(f.Rows[k], units.Format(at(q), units.Seconds))
		}
		alts = append(alts, fmt.Sprintf("%s: p50 %s, p90 %s, p99 %s, p99.9 %s", set.Name, units.Format(at(50), units.Seconds),
			units.Format(at(90), units.Seconds), units.Format(at(99), units.Seconds), units.Format(at(99.9), units.Seconds)))
	}
	if len(alts) == 0 {
		return f, false
	}
	p.X.Min, p.X.Max = 0, right
	p.Y.Min, p.Y.Max = logRange(low, high)
	p.X.Tick.Marker = nines()
	p.Y.Tick.Marker = logTicks(units.Seconds)
	f.Alt = "Latency by percentile. " + strings.Join(alts, ". ") + "."
	f.SVG = render(p, lineHeight, f.Alt)
	return f, true
}

// nines marks 0, 90, 99, 99.9 … per cent of values plotted as the number of nines.
func nines() plot.Ticker {
	labels := []string{"0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"}
	ticks := plot.ConstantTicks{{Value: -math.Log10(0.5)}} // 50 %: no room for its label
	for i, label := range labels {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: label})
	}
	return ticks
}

// rated are the runs of a set at one rate, which the figures are of. Of a set that has none, they are of the
// searches, whose records hold the run that confirmed the rate found. Partial runs are left out.
func rated(set compare.Set) []*run.Record {
	var out, searches []*run.Record
	for _, r := range set.Runs {
		switch {
		case r.Partial:
		case r.Search != nil:
			searches = append(searches, r)
		default:
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return searches
	}
	return out
}

// overRuns says what a figure of several runs is.
func overRuns(sets []compare.Set) string {
	for _, s := range sets {
		if len(rated(s)) > 1 {
			return ", the median over the runs"
		}
	}
	return ""
}

// LatencyOverTime draws p50 and p99 of each second, where there are several, the median over the runs.
func LatencyOverTime(sets []compare.Set) (Figure, bool) {
	p := newPlot("seconds from the start of a run", "latency, p99 and p50")
	f, ok := overTime(sets, p, Figure{
		Title: "Latency over time",
		Caption: "Each second of a run" + overRuns(sets) + ": p99 as the thick line, p50 as the thin one below. " +
			"A step or a slope means that the system was not in a steady state.",
	}, []timeLine{
		{"p99", units.Seconds, func(pt run.Point) float64 { return pt.P99 }, false, true},
		{"p50", units.Seconds, func(pt run.Point) float64 { return pt.P50 }, true, true},
	})
	if !ok {
		return f, false
	}
	p.Y.Min, p.Y.Max = logRange(p.Y.Min, p.Y.Max)
	p.Y.Tick.Marker = logTicks(units.Seconds)
	f.SVG = render(p, lineHeight, f.Alt)
	return f, true
}

// RateOverTime draws the requests of each second, where there are several, the median over the runs.
func RateOverTime(sets []compare.Set) (Figure, bool) {
	p := newPlot("seconds from the start of a run", "requests sent per second")
	f, ok := overTime(sets, p, Figure{
		Title:   "Rate over time",
		Caption: "Requests sent in each second" + overRuns(sets) + ". At a constant pace this is a level line.",
	}, []timeLine{{"requests", units.PerSecond, func(pt run.Point) float64 { return float64(pt.Sent) }, false, false}})
	if !ok {
		return f, false
	}
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.15
	p.Y.Tick.Marker = linearTicks(units.PerSecond, 5)
	f.SVG = render(p, lineHeight, f.Alt)
	return f, true
}

// timeLine is one line of each set over time.
type timeLine struct {
	name string
	unit units.Unit
	of   func(run.Point) float64
	thin bool
	log  bool
}

func overTime(sets []compare.Set, p *plot.Plot, f Figure, lines []timeLine) (Figure, bool) {
	f.Columns = []string{"set", "figure", "least", "median", "greatest"}
	var alts []string
	longest := 0.0
	for i, set := range sets {
		runs := rated(set)
		for _, line := range lines {
			points, values := medianSeries(runs, line)
			if len(points) == 0 {
				continue
			}
			addLine(p, points, i, line.thin)
			longest = max(longest, points[len(points)-1].X)
			low, middle, high := extent(values)
			f.Rows = append(f.Rows, []string{
				set.Name, line.name, units.Format(low, line.unit), units.Format(middle, line.unit), units.Format(high, line.unit),
			})
			alts = append(alts, fmt.Sprintf("%s %s: %s to %s, median %s", set.Name, line.name, units.Format(low, line.unit),
				units.Format(high, line.unit), units.Format(middle, line.unit)))
		}
	}
	if len(alts) == 0 {
		return f, false
	}
	p.X.Min, p.X.Max = 0, max(longest, 1)
	p.X.Tick.Marker = linearTicks(units.Plain, 8)
	f.Alt = f.Title + ". " + strings.Join(alts, ". ") + "."
	return f, true
}

func extent(values []float64) (low, middle, high float64) {
	return slices.Min(values), compare.Median(values), slices.Max(values)
}

// medianSeries takes the median over runs, second by second.
func medianSeries(runs []*run.Record, line timeLine) (plotter.XYs, []float64) {
	bySecond := map[int][]float64{}
	last := -1
	for _, r := range runs {
		for k, pt := range r.Series {
			v := line.of(pt)
			if line.log && v <= 0 {
				continue // a second without a request has no latency
			}
			bySecond[k] = append(bySecond[k], v)
			last = max(last, k)
		}
	}
	var points plotter.XYs
	var values []float64
	for k := 0; k <= last; k++ {
		if len(bySecond[k]) == 0 {
			continue
		}
		v := compare.Median(bySecond[k])
		values = append(values, v)
		y := v
		if line.log {
			y = math.Log10(v)
		}
		points = append(points, plotter.XY{X: float64(k), Y: y})
	}
	return points, values
}
