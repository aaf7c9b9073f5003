package plots

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"balanceo/results/run"
	"balanceo/results/units"
)

// SharesBySecond draws which share of a group's requests each upstream got in each second of one run, with the shares
// that are promised and what happened meanwhile. False where the record does not tell.
func SharesBySecond(group string, r *run.Record) (Figure, bool) {
	p := newPlot("seconds from the start of the run", "share of the requests")
	f := Figure{
		Title:   "Shares of " + group + " by second, run " + r.ID,
		Caption: "Which share of the group's requests each server answered. Dotted: what is promised.",
	}
	f, ok := bySecond(f, p, group, r, units.Ratio, func(g *run.Group, u *run.Upstream, second int) float64 {
		var sum int64
		for _, other := range g.Upstreams {
			if second < len(other.Series) {
				sum += other.Series[second].Requests
			}
		}
		if sum == 0 {
			return math.NaN()
		}
		return float64(u.Series[second].Requests) / float64(sum)
	})
	if !ok {
		return f, false
	}
	p.Y.Min, p.Y.Max = 0, min(max(p.Y.Max*1.12, 0.1), 1)
	p.Y.Tick.Marker = linearTicks(units.Ratio, 5)
	var promised promises
	for _, g := range r.Groups {
		for _, u := range g.Upstreams {
			if g.Name == group && u.Weight > 0 {
				promised = append(promised, u.ExpectedShare)
			}
		}
	}
	p.Add(promised, events(r.Events))
	f.SVG = render(p, lineHeight, f.Alt)
	return f, true
}

// LatencyBySecond draws p99 of each upstream in each second of one run.
func LatencyBySecond(group string, r *run.Record) (Figure, bool) {
	p := newPlot("seconds from the start of the run", "latency p99")
	f := Figure{Title: "p99 of " + group + " by second, run " + r.ID, Caption: "The latency that 99 of 100 answers of each server kept, second by second."}
	f, ok := bySecond(f, p, group, r, units.Seconds, func(_ *run.Group, u *run.Upstream, second int) float64 {
		if v := u.Series[second].P99; v > 0 {
			return math.Log10(v)
		}
		return math.NaN() // a second without an answer has no latency
	})
	if !ok {
		return f, false
	}
	p.Y.Min, p.Y.Max = logRange(p.Y.Min, p.Y.Max)
	p.Y.Tick.Marker = logTicks(units.Seconds)
	p.Add(events(r.Events))
	f.SVG = render(p, lineHeight, f.Alt)
	return f, true
}

// bySecond draws a line for each upstream of a group. Where it has no value the line is interrupted.
func bySecond(f Figure, p *plot.Plot, group string, r *run.Record, unit units.Unit, of func(*run.Group, *run.Upstream, int) float64) (Figure, bool) {
	f.Columns = []string{"server", "least", "median", "greatest"}
	var alts []string
	longest := 1.0
	for gi := range r.Groups {
		g := &r.Groups[gi]
		for i := range g.Upstreams {
			u := &g.Upstreams[i]
			if g.Name != group {
				continue
			}
			var line plotter.XYs
			var values []float64
			for second := range u.Series {
				v := of(g, u, second)
				if math.IsNaN(v) {
					addLine(p, line, i, false)
					line = nil
					continue
				}
				t := float64(second)
				if second < len(r.Series) {
					t = r.Series[second].T
				}
				line, longest = append(line, plotter.XY{X: t, Y: v}), max(longest, t)
				if unit == units.Seconds {
					v = math.Pow(10, v)
				}
				values = append(values, v)
			}
			addLine(p, line, i, false)
			if len(values) == 0 {
				continue
			}
			low, middle, high := extent(values)
			row := []string{upstreamName(*u), units.Format(low, unit), units.Format(middle, unit), units.Format(high, unit)}
			f.Rows = append(f.Rows, row)
			f.Legend = append(f.Legend, SeriesKey(i, upstreamName(*u)))
			alts = append(alts, fmt.Sprintf("%s: %s to %s, median %s", row[0], row[1], row[3], row[2]))
		}
	}
	for _, e := range r.Events {
		mark := strings.TrimSpace(fmt.Sprintf("%.1f s: %s %s", e.T, cmp.Or(r.Instance(e.Addr), e.Addr), e.Text))
		if touched := e.Touched(); touched != "" {
			mark += "; meanwhile " + touched
		}
		f.Marks = append(f.Marks, mark)
	}
	if len(alts) == 0 {
		return f, false
	}
	p.X.Min, p.X.Max = 0, longest
	p.X.Tick.Marker = linearTicks(units.Plain, 8)
	f.Alt = f.Title + ". " + strings.Join(append(alts, f.Marks...), ". ") + "."
	return f, true
}

// promises draws the shares that are expected.
type promises []float64

// Plot implements plot.Plotter.
func (shares promises) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	for _, share := range shares {
		c.StrokeLine2(draw.LineStyle{Color: muted(), Width: 1, Dashes: seriesDash(5)}, c.Min.X, y(share), c.Max.X, y(share))
	}
}

// events draws a numbered line for each.
type events []run.Event

// Plot implements plot.Plotter.
func (es events) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	label := textStyle(10.5, ink())
	label.YAlign = draw.YTop
	last := c.Min.X - 100
	for i, e := range es {
		if e.T < p.X.Min || e.T > p.X.Max {
			continue
		}
		c.StrokeLine2(draw.LineStyle{Color: ink(), Width: 1}, x(e.T), c.Min.Y, x(e.T), c.Max.Y)
		if at := x(e.T) + 3; at > last+12 {
			c.FillText(label, pointAt(at, c.Max.Y), strconv.Itoa(i+1))
			last = at
		}
	}
}
