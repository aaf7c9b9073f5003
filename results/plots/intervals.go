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
)

// widest is the factor at which the axis of Intervals ends; what is beyond is cut off and says so. The axis is
// logarithmic: half as much lies as far to the left as twice as much does to the right.
const widest = 5

// scale places a relative change on the axis.
func scale(relative float64) float64 { return math.Log(max(1+relative, 1e-9)) }

// Intervals draws the median of the paired differences of each row with its interval, relative to the base.
func Intervals(t *compare.Table) (Figure, bool) {
	f := Figure{
		Title: fmt.Sprintf("%s against %s", t.Other.Name, t.Base.Name),
		Caption: fmt.Sprintf("Change from %s to %s: the estimate from the pairs and its interval. "+
			"Grey: not significant. Green: better in %s. Red: worse.", t.Base.Name, t.Other.Name, t.Other.Name),
		Columns: []string{"metric", t.Base.Name, t.Other.Name, "change", "interval", "p", "pairs", "result"},
	}
	var marks intervalMarks
	var names, alts []string
	reach := 0.02
	for i := range t.Rows {
		row := &t.Rows[i]
		f.Rows = append(f.Rows, row.Cells())
		if !row.Relative || row.Interval == nil {
			continue // not tested, or from zero to something: there is no relative change
		}
		m := intervalMark{
			row: len(names), at: scale(row.Change), lo: scale(row.Interval.Lo), hi: scale(row.Interval.Hi), text: row.ChangeText(), color: muted(),
		}
		if row.Significant {
			m.color = bad()
			if row.Better == t.Other.Name {
				m.color = good()
			}
		}
		names = append(names, row.Metric.Name)
		marks = append(marks, m)
		reach = max(reach, math.Abs(m.lo), math.Abs(m.hi), math.Abs(m.at))
		alts = append(alts, fmt.Sprintf("%s %s, interval %s", row.Metric.Name, describeChange(row), row.Range()))
	}
	if len(names) == 0 {
		return f, false
	}
	p := newPlot("change against "+t.Base.Name, "")
	p.Add(marks)
	rowAxis(p, names)
	reach = min(reach*1.08, math.Log(widest))
	// Room for the text at the right.
	p.X.Min, p.X.Max = -reach, reach*1.5
	p.X.Tick.Marker = changeTicks(reach)
	f.Alt = fmt.Sprintf("Change from %s to %s. %s.", t.Base.Name, t.Other.Name, strings.Join(alts, ". "))
	f.SVG = render(p, rowsHeight(len(names)+len(names)/4), f.Alt)
	return f, true
}

// changeTicks marks round changes, as many as have room.
func changeTicks(reach float64) plot.ConstantTicks {
	ticks := plot.ConstantTicks{{Value: 0, Label: "0"}}
	for _, percent := range []float64{100, -50, 400, -80, 50, -33, 25, -20, 10, -10, 5, -5, 2, -2, 1, -1} {
		at := scale(percent / 100)
		free := math.Abs(at) <= reach
		for _, t := range ticks {
			free = free && math.Abs(t.Value-at) > reach/2.9
		}
		if free {
			ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprintf("%+g %%", percent)})
		}
	}
	return ticks
}

func describeChange(row *compare.Row) string {
	if !row.Significant {
		return "no significant change"
	}
	return row.ChangeText() + ", better in " + row.Better
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
	for _, m := range marks {
		middle := y(-float64(m.row))
		line := draw.LineStyle{Color: m.color, Width: 2.2}
		lo, hi, left, right := clip(m.lo, m.hi, reach)
		c.StrokeLine2(line, x(lo), middle, x(hi), middle)
		for _, end := range []struct {
			at   vg.Length
			kind ending
			in   vg.Length // towards the middle of the line
		}{{x(lo), left, 1}, {x(hi), right, -1}} {
			switch end.kind {
			case capped:
				c.StrokeLine2(line, end.at, middle-4, end.at, middle+4)
			case arrow:
				c.StrokeLine2(line, end.at, middle, end.at+5*end.in, middle+4)
				c.StrokeLine2(line, end.at, middle, end.at+5*end.in, middle-4)
			}
		}
		if math.Abs(m.at) <= reach {
			c.DrawGlyph(draw.GlyphStyle{Color: m.color, Radius: 4, Shape: draw.CircleGlyph{}}, pointAt(x(m.at), middle))
		}
		label := textStyle(11, m.color)
		label.XAlign, label.YAlign = draw.XRight, draw.YCenter
		c.FillText(label, pointAt(c.Max.X, middle), m.text)
	}
}

// ending is how an end of an interval is drawn.
type ending int

const (
	capped ending = iota
	arrow         // it goes on beyond the axis
	open          // it begins beyond the axis
)

// clip cuts an interval to the axis. Of one that lies beyond it, a stump is left that points there.
func clip(lo, hi, reach float64) (from, to float64, left, right ending) {
	const stump = 0.85
	switch {
	case lo >= reach:
		return stump * reach, reach, open, arrow
	case hi <= -reach:
		return -reach, -stump * reach, arrow, open
	}
	if lo < -reach {
		lo, left = -reach, arrow
	}
	if hi > reach {
		hi, right = reach, arrow
	}
	return lo, hi, left, right
}
