// Package plots draws the figures of a report: each an SVG that takes its colours from the page's style sheet,
// so that it reads in light and in dark, with its numbers as text and as a table for who can't see it.
package plots

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"balanceo/results/units"
)

// Figure is a plot and its numbers.
type Figure struct {
	Title   string
	Caption string     // what is seen and how to read it
	SVG     string     // an <svg> element that takes the width it is given
	Alt     string     // the numbers as a sentence or several
	Columns []string   // headings of the numbers
	Rows    [][]string // the numbers
	Legend  []Key      // of a figure whose colours are not those of the sets
	Marks   []string   // what the numbered lines mark
}

// Key is what a line is drawn with.
type Key struct{ Name, Color, Dash string }

// SeriesKey is that of the i-th set.
func SeriesKey(i int, name string) Key { return Key{name, fmt.Sprintf("series%d", i%Series), dash(i)} }

// width of every figure, in units of its view box. At this width 11 units of text read well on a phone, where a
// figure gets 345 pixels, and on a screen, where it gets 540.
const width = 400

// Series is how many colours there are. More sets than that use them again, with other dashes.
const Series = 6

// The style sheet decides on colours. What is drawn carries stand-ins, colours that nothing else has, and
// render puts the style sheet's variables in their place.
func ink() color.Color   { return standIn(1) }
func muted() color.Color { return standIn(2) }
func grid() color.Color  { return standIn(3) }
func good() color.Color  { return standIn(4) }
func bad() color.Color   { return standIn(5) }

// seriesColor is the colour of the i-th set.
func seriesColor(i int) color.Color { return standIn(uint8(10 + i%Series)) }

// seriesSoft is a paler seriesColor.
func seriesSoft(i int) color.Color { return standIn(uint8(20 + i%Series)) }

func standIn(n uint8) color.Color { return color.RGBA{R: n, G: 254, B: n, A: 255} }

func variable(n int) string {
	switch {
	case n >= 20:
		return fmt.Sprintf("var(--soft%d)", n-20)
	case n >= 10:
		return fmt.Sprintf("var(--series%d)", n-10)
	}
	return "var(--" + [...]string{"", "ink", "muted", "grid", "good", "bad"}[n] + ")"
}

// seriesDash tells lines apart without colour.
func seriesDash(i int) []vg.Length {
	return [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 2, 2, 2}, {4, 4}, {1, 3}}[i%Series]
}

// dash is the stroke-dasharray of the i-th set, for a legend.
func dash(i int) string {
	var parts []string
	for _, l := range seriesDash(i) {
		parts = append(parts, fmt.Sprint(l.Points()))
	}
	return strings.Join(parts, " ")
}

func textStyle(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		Handler: text.Plain{Fonts: font.NewCache(liberation.Collection())},
	}
}

// newPlot is an empty plot with quiet axes and labels in plain words.
func newPlot(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		align := a.Tick.Label // keeps the alignment that belongs to the axis
		a.Tick.Label = textStyle(10.5, muted())
		a.Tick.Label.XAlign, a.Tick.Label.YAlign = align.XAlign, align.YAlign
		a.Tick.LineStyle = draw.LineStyle{Color: grid(), Width: 0.5}
		a.Tick.Length = 3
		a.LineStyle = draw.LineStyle{Color: grid(), Width: 1}
		align = a.Label.TextStyle
		a.Label.TextStyle = textStyle(10.5, muted())
		a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign = align.XAlign, align.YAlign
		a.Padding = 4
	}
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	lines := plotter.NewGrid()
	lines.Vertical = draw.LineStyle{Color: grid(), Width: 0.6}
	lines.Horizontal = lines.Vertical
	p.Add(lines)
	return p
}

// render draws p and makes the SVG fit for a page.
func render(p *plot.Plot, height vg.Length, alt string) string {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), 2, -14, 2, -6))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	_, body, _ := strings.Cut(b.String(), "<svg") // leaves the XML declaration out
	svg := "<svg" + body
	// The size is the page's business, and so is the font: what is left has the same widths.
	svg = regexp.MustCompile(`(?s)<svg [^>]*>`).ReplaceAllString(svg, fmt.Sprintf(
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.5g" role="img" aria-label="%s">`,
		width, height.Points(), html.EscapeString(alt)))
	svg = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:normal;font-style:normal;?`).ReplaceAllString(svg, "")
	svg = regexp.MustCompile(`#([0-9A-Fa-f]{2})FE([0-9A-Fa-f]{2})`).ReplaceAllStringFunc(svg, func(hex string) string {
		var n int
		_, _ = fmt.Sscanf(hex[1:3], "%x", &n)
		return variable(n)
	})
	return svg
}

// logTicks marks 1, 2 and 5 times each power of ten, of values that are plotted as their logarithm. The
// labels thin out where a wide range would crowd them.
func logTicks(u units.Unit) plot.Ticker {
	return plot.TickerFunc(func(low, high float64) []plot.Tick {
		var ticks []plot.Tick
		decades := high - low
		for e := math.Floor(low); e <= math.Ceil(high); e++ {
			for _, m := range []float64{1, 2, 5} {
				at := e + math.Log10(m)
				if at < low-1e-9 || at > high+1e-9 {
					continue
				}
				label := ""
				if m == 1 || decades < 3.1 {
					label = units.Short(math.Pow(10, at), u)
				}
				ticks = append(ticks, plot.Tick{Value: at, Label: label})
			}
		}
		return ticks
	})
}

// linearTicks marks round values from 0 on.
func linearTicks(u units.Unit, most int) plot.Ticker {
	return plot.TickerFunc(func(low, high float64) []plot.Tick {
		step := niceStep((high - low) / float64(most))
		var ticks []plot.Tick
		for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
			v := i*step + 0 // no "-0"
			ticks = append(ticks, plot.Tick{Value: v, Label: units.Short(v, u)})
		}
		return ticks
	})
}

// niceStep is the least of 1, 2, 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logRange widens a range of logarithms to whole steps of 1, 2, 5.
func logRange(low, high float64) (float64, float64) {
	if !(low < high) {
		low, high = low-0.3, low+0.3
	}
	down := func(v float64) float64 {
		e := math.Floor(v)
		for _, m := range []float64{5, 2, 1} {
			if at := e + math.Log10(m); at <= v+1e-9 {
				return at
			}
		}
		return e
	}
	up := func(v float64) float64 {
		e := math.Floor(v)
		for _, m := range []float64{1, 2, 5, 10} {
			if at := e + math.Log10(m); at >= v-1e-9 {
				return at
			}
		}
		return e + 1
	}
	return down(low), up(high)
}
