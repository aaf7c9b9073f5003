package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/units"
)

// Capacity draws what each search for the highest rate saw: p99 over the rate that was asked for.
func Capacity(sets []compare.Set) (Figure, bool) {
	f := Figure{
		Title: "Rate against p99",
		Caption: "The probes of the search for the highest rate: filled where the promise held, hollow where it did not. " +
			"The knee is where p99 leaves the ground.",
		Columns: []string{"set", "rate", "p50", "p99", "errors", "held"},
	}
	p := newPlot("requests per second asked for", "latency p99")
	var alts []string
	for i, set := range sets {
		for _, r := range set.Runs {
			if r.Search == nil || len(r.Search.Steps) == 0 {
				continue
			}
			alts = append(alts, fmt.Sprintf("%s held %s at up to %s", set.Name, r.Search.SLO, units.Format(r.Search.MaxRate, units.PerSecond)))
			p.Add(newProbes(r.Search.Steps, i))
			for _, s := range byRate(r.Search.Steps) {
				held := "yes"
				if !s.Held {
					held = "no"
				}
				f.Rows = append(f.Rows, []string{
					set.Name, units.Format(s.Rate, units.PerSecond), units.Format(s.P50, units.Seconds),
					units.Format(s.P99, units.Seconds), units.Percent(s.ErrorRatio), held,
				})
			}
		}
	}
	if len(alts) == 0 {
		return f, false
	}
	p.X.Min, p.X.Max = logRange(p.X.Min, p.X.Max)
	p.Y.Min, p.Y.Max = logRange(p.Y.Min, p.Y.Max)
	p.X.Tick.Marker, p.Y.Tick.Marker = logTicks(units.PerSecond), logTicks(units.Seconds)
	f.Alt = "Rate against p99 in the search for the highest rate. " + strings.Join(alts, ". ") + "."
	f.SVG = render(p, lineHeight, f.Alt)
	return f, true
}

// probes draws the steps of one search.
type probes struct {
	points plotter.XYs
	held   []bool
	series int
}

func newProbes(steps []run.SearchStep, series int) *probes {
	pr := &probes{series: series}
	for _, s := range byRate(steps) {
		if s.Rate > 0 && s.P99 > 0 {
			pr.points = append(pr.points, plotter.XY{X: math.Log10(s.Rate), Y: math.Log10(s.P99)})
			pr.held = append(pr.held, s.Held)
		}
	}
	return pr
}

// DataRange implements plot.DataRanger.
func (pr *probes) DataRange() (xmin, xmax, ymin, ymax float64) { return plotter.XYRange(pr.points) }

// Plot implements plot.Plotter.
func (pr *probes) Plot(c draw.Canvas, p *plot.Plot) {
	if len(pr.points) == 0 {
		return
	}
	if line, err := plotter.NewLine(pr.points); err == nil {
		line.Color, line.Width, line.Dashes = seriesColor(pr.series), 1.6, seriesDash(pr.series)
		line.Plot(c, p)
	}
	x, y := p.Transforms(&c)
	for i, pt := range pr.points {
		style := draw.GlyphStyle{Color: seriesColor(pr.series), Radius: 3.2, Shape: draw.CircleGlyph{}}
		if !pr.held[i] {
			style.Shape = draw.RingGlyph{}
		}
		c.DrawGlyph(style, pointAt(x(pt.X), y(pt.Y)))
	}
}

func byRate(steps []run.SearchStep) []run.SearchStep {
	return slices.SortedStableFunc(slices.Values(steps), func(a, b run.SearchStep) int { return cmp.Compare(a.Rate, b.Rate) })
}
