package plots

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"balanceo/results/compare"
	"balanceo/results/units"
)

// widest is the relative change at which the axis of Intervals ends; what is beyond is cut off and says so.
const widest = 1.0

// Intervals draws the median of the paired differences of each row with its interval, relative to the base.
func Intervals(t *compare.Table) (Figure, bool) {
	f := Figure{
		Title: fmt.Sprintf("%s against %s", t.Other.Name, t.Base.Name),
		Caption: fmt.Sprintf("Change from %s to %s: the median of the paired differences and its interval. "+
			"Grey: not significant. Green: better in %s. Red: worse.", t.Base.Name, t.Other.Name, t.Other.Name),
		Columns: []string{"metric", t.Base.Name, t.Other.Name, "change", "95 % interval", "p (Holm)"},
	}
	var marks intervalMarks
	var names, alts []string
	reach := 0.02
	for i := range t.Rows {
		row := &t.Rows[i]
		f.Rows = append(f.Rows, []string{
			row.Metric.Name, units.Format(row.BaseMedian, row.Metric.Unit), units.Format(row.OtherMedian, row.Metric.Unit),
			row.Change(), row.Range(), row.PText(),
		})
		if row.Relative == nil {
			continue // from zero to something: there is no relative change
		}
		lo, hi := *row.Relative, *row.Relative
		if row.RelativeInterval != nil {
			lo, hi = row.RelativeInterval.Lo, row.RelativeInterval.Hi
		}
		m := intervalMark{row: len(names), at: *row.Relative, lo: lo, hi: hi, text: row.Change(), color: muted()}
		if row.Significant {
			m.color = bad()
			if row.Better == t.Other.Name {
				m.color = good()
			}
		}
		names = append(names, row.Metric.Name)
		marks = append(marks, m)
		reach = max(reach, math.Abs(lo), math.Abs(hi), math.Abs(m.at))
		alts = append(alts, fmt.Sprintf("%s %s, interval %s", row.Metric.Name, describeChange(row), row.Range()))
	}
	if len(names) == 0 {
		return f, false
	}
	p := newPlot("change against "+t.Base.Name, "")
	p.Add(marks)
	rowAxis(p, names)
	reach = min(reach*1.08, widest)
	// Room for the text at the right.
	p.X.Min, p.X.Max = -reach, reach*1.42
	p.X.Tick.Marker = plot.TickerFunc(func(_, _ float64) []plot.Tick {
		step := niceStep(reach / 2.2)
		var ticks []plot.Tick
		for i := -math.Floor(reach / step); i*step <= reach+1e-9; i++ {
			label := fmt.Sprintf("%+g %%", math.Round(i*step*1e6)/1e4)
			if i == 0 {
				label = "0"
			}
			ticks = append(ticks, plot.Tick{Value: i * step, Label: label})
		}
		return ticks
	})
	f.Alt = fmt.Sprintf("Change from %s to %s. %s.", t.Base.Name, t.Other.Name, strings.Join(alts, ". "))
	f.SVG = render(p, rowsHeight(len(names)+len(names)/4), f.Alt)
	return f, true
}

func describeChange(row *compare.Row) string {
	if !row.Significant {
		return "no significant change"
	}
	return row.Change() + ", better in " + row.Better
}

type intervalMark struct {
	row        int
	at, lo, hi float64
	text       string
	color      color.Color
}

type intervalMarks []intervalMark

// Plot implements plot.Plotter.
func (marks intervalMarks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: ink(), Width: 1}, x(0), c.Min.Y, x(0), c.Max.Y)
	reach := -p.X.Min
	clip := func(v float64) (float64, bool) { return max(-reach, min(reach, v)), math.Abs(v) > reach }
	for _, m := range marks {
		middle := y(-float64(m.row))
		lo, loCut := clip(m.lo)
		hi, hiCut := clip(m.hi)
		at, atCut := clip(m.at)
		line := draw.LineStyle{Color: m.color, Width: 2.2}
		c.StrokeLine2(line, x(lo), middle, x(hi), middle)
		for _, end := range []struct {
			v   float64
			cut bool
			way float64
		}{{lo, loCut, 1}, {hi, hiCut, -1}} {
			if end.cut { // an arrow head: it goes on
				back := x(end.v) + 5*vg.Length(end.way)
				c.StrokeLine2(line, x(end.v), middle, back, middle+4)
				c.StrokeLine2(line, x(end.v), middle, back, middle-4)
			} else {
				c.StrokeLine2(line, x(end.v), middle-4, x(end.v), middle+4)
			}
		}
		if !atCut {
			c.DrawGlyph(draw.GlyphStyle{Color: m.color, Radius: 4, Shape: draw.CircleGlyph{}}, pointAt(x(at), middle))
		}
		label := textStyle(11, m.color)
		label.XAlign, label.YAlign = draw.XRight, draw.YCenter
		c.FillText(label, pointAt(c.Max.X, middle), m.text)
	}
}
