package plots

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/units"
)

func pointAt(x, y vg.Length) vg.Point { return vg.Point{X: x, Y: y} }

// span is a horizontal bar from one value to another, on a row counted from the top.
type span struct {
	row      float64 // the middle of the bar
	height   float64 // of a row's 1
	from, to float64
	fill     color.Color
	mark     float64 // an expected value, drawn as a line through the bar; NaN: none
	text     string  // at the right of the bar
}

// spans draws bars on a plot whose y axis counts rows downwards.
type spans []span

// Plot implements plot.Plotter.
func (s spans) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	label := textStyle(10.5, ink())
	label.XAlign, label.YAlign = draw.XLeft, draw.YCenter
	for _, b := range s {
		top, bottom := y(-(b.row - b.height/2)), y(-(b.row + b.height/2))
		if b.to > b.from {
			c.FillPolygon(b.fill, []vg.Point{
				pointAt(x(b.from), bottom), pointAt(x(b.to), bottom), pointAt(x(b.to), top), pointAt(x(b.from), top),
			})
		}
		if !math.IsNaN(b.mark) {
			c.StrokeLine2(draw.LineStyle{Color: ink(), Width: 2}, x(b.mark), bottom-2, x(b.mark), top+2)
		}
		if b.text != "" {
			end := x(b.to)
			if !math.IsNaN(b.mark) {
				end = max(end, x(b.mark))
			}
			c.FillText(label, pointAt(end+5, (top+bottom)/2), b.text)
		}
	}
}

// rowAxis labels rows counted downwards.
func rowAxis(p *plot.Plot, names []string) {
	ticks := make(plot.ConstantTicks, len(names))
	for i, name := range names {
		ticks[i] = plot.Tick{Value: -float64(i), Label: name}
	}
	p.Y.Min, p.Y.Max = -(float64(len(names)) - 0.5), 0.5
	p.Y.Tick.Marker = ticks
	p.Y.Tick.Label.Color = ink()
	p.Y.Tick.Label.Font.Size = 11
	p.Y.Tick.Length = 0
	p.Y.Width = 0
	p.Y.Padding = 6 // browsers without the font that was measured write a little wider
}

// rowsHeight is the height of a plot with so many bars.
func rowsHeight(bars int) vg.Length { return vg.Length(56 + 19*bars) }

// Shares draws what part of a group's requests each upstream got, per set, against the part that is
// promised to it.
func Shares(group string, sets []compare.Set) (Figure, bool) {
	f := Figure{
		Title:   "Shares of " + group,
		Caption: "Bars: the share of the group's requests that each upstream answered. Line across: the share that is promised.",
		Columns: []string{"upstream", "set", "expected", "share", "requests"},
	}
	got := sharesOf(group, sets)
	if len(got.names) == 0 {
		return f, false
	}
	p := newPlot("share of the group's requests", "")
	var bars spans
	var alts []string
	most := 0.0
	place := slots(len(sets))
	for at, name := range got.names {
		for i, set := range sets {
			sum, ok := got.sums[setUpstream{i, at}]
			if !ok || got.totals[i] == 0 {
				continue
			}
			share := float64(sum.Requests) / float64(got.totals[i])
			most = max(most, share, sum.ExpectedShare)
			bars = append(bars, span{
				row: float64(at) + place.offset(i), height: place.height, to: share, mark: sum.ExpectedShare, text: units.Percent(share),
				fill: seriesColor(i),
			})
			f.Rows = append(f.Rows, []string{
				name + " " + got.addrs[at], set.Name, units.Percent(sum.ExpectedShare), units.Percent(share), strconv.FormatInt(sum.Requests, 10),
			})
			alts = append(alts, fmt.Sprintf("%s in %s: %s of %s expected", name, set.Name, units.Percent(share), units.Percent(sum.ExpectedShare)))
		}
	}
	rowAxis(p, got.names)
	p.Add(bars)
	p.X.Min, p.X.Max = 0, most*1.22
	p.X.Tick.Marker = linearTicks(units.Ratio, 5)
	f.Alt = f.Title + ". " + strings.Join(alts, ". ") + "."
	f.SVG = render(p, rowsHeight(max(len(bars), 2*len(got.names))), f.Alt)
	return f, true
}

// groupShares is what the upstreams of a group got in each set.
type groupShares struct {
	names, addrs []string // of the upstreams
	sums         map[setUpstream]run.Upstream
	totals       map[int]int64 // by set
}

type setUpstream struct{ set, upstream int }

func sharesOf(group string, sets []compare.Set) groupShares {
	out := groupShares{sums: map[setUpstream]run.Upstream{}, totals: map[int]int64{}}
	for i, set := range sets {
		for _, r := range rated(set) {
			for _, g := range r.Groups {
				if g.Name != group {
					continue
				}
				out.totals[i] += g.Requests
				for at, u := range g.Upstreams {
					// A layout that was moved has other ports, but the same order.
					if at == len(out.names) {
						out.names, out.addrs = append(out.names, upstreamName(u)), append(out.addrs, u.Addr)
					}
					sum := out.sums[setUpstream{i, at}]
					sum.Requests += u.Requests
					sum.ExpectedShare = u.ExpectedShare
					out.sums[setUpstream{i, at}] = sum
				}
			}
		}
	}
	return out
}

func upstreamName(u run.Upstream) string { return cmp.Or(u.Instance, u.Addr) }

// slot says how n bars share a row.
type slot struct{ height, first float64 }

func slots(n int) slot {
	const used = 0.78
	return slot{height: used / float64(n) * 0.86, first: -used/2 + used/float64(n)/2}
}

func (s slot) offset(i int) float64 { return s.first + float64(i)*s.height/0.86 }

// Workers draws how the processes behind each port share its requests, the busiest first, the mean over the runs
// of a set. False where no response said which process it came from.
func Workers(set compare.Set, series int) (Figure, bool) {
	f := Figure{
		Title: "Workers of " + set.Name,
		Caption: "How the processes behind each port share its requests, the busiest first. Equal parts are even; " +
			"kept-open connections pin requests to a process.",
		Columns: []string{"upstream", "mode", "shares of the workers, busiest first", "evenness (Jain)"},
	}
	all := portsOf(set)
	if len(all) == 0 {
		return f, false
	}
	p := newPlot("share of the port's requests", "")
	var bars spans
	var alts []string
	var names []string
	for at, port := range all {
		from, squares := 0.0, 0.0
		var texts []string
		for k, sum := range port.sums {
			share := sum / float64(port.runs)
			squares += share * share
			texts = append(texts, units.Percent(share))
			fill := seriesColor(series)
			if k%2 == 1 {
				fill = seriesSoft(series)
			}
			bars = append(bars, span{row: float64(at), height: 0.62, from: from, to: from + share, mark: math.NaN(), fill: fill})
			from += share
		}
		last := &bars[len(bars)-1]
		last.text = strings.Join(texts[:min(3, len(texts))], " · ")
		if len(texts) > 3 {
			last.text += fmt.Sprintf(" · +%d", len(texts)-3)
		}
		index := 1 / (squares * float64(len(texts)))
		f.Rows = append(f.Rows, []string{port.name, port.mode, strings.Join(texts, ", "), fmt.Sprintf("%.3f", index)})
		names, alts = append(names, port.name), append(alts, fmt.Sprintf("%s: %s", port.name, strings.Join(texts, ", ")))
	}
	rowAxis(p, names)
	p.Add(bars)
	p.X.Min, p.X.Max = 0, 1.42
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0 %"}, {Value: 0.25, Label: "25 %"}, {Value: 0.5, Label: "50 %"}, {Value: 0.75, Label: "75 %"}, {Value: 1, Label: "100 %"}}
	f.Alt = f.Title + ". " + strings.Join(alts, ". ") + "."
	f.SVG = render(p, rowsHeight(len(names)+len(names)/3), f.Alt)
	return f, true
}

// portWorkers is how the processes behind one port shared its requests, summed over the runs of a set.
type portWorkers struct {
	name, mode string
	sums       []float64 // of the shares, by rank
	runs       int
}

// portsOf lists the ports behind which there are several processes, or should be.
func portsOf(set compare.Set) []*portWorkers {
	var out []*portWorkers
	for _, r := range rated(set) {
		for _, g := range r.Groups {
			for _, u := range g.Upstreams {
				shares := ranked(u.Workers)
				if len(shares) == 0 || len(shares) == 1 && u.Mode != "CLUSTER" {
					continue // one process has nothing to share
				}
				i := slices.IndexFunc(out, func(p *portWorkers) bool { return p.name == upstreamName(u) })
				if i < 0 {
					i, out = len(out), append(out, &portWorkers{name: upstreamName(u), mode: u.Mode})
				}
				p := out[i]
				p.runs++
				p.sums = append(p.sums, make([]float64, max(0, len(shares)-len(p.sums)))...)
				for k, s := range shares {
					p.sums[k] += s
				}
			}
		}
	}
	return out
}

// ranked are the shares of the workers, the busiest first.
func ranked(workers []run.Worker) []float64 {
	total := 0.0
	for _, w := range workers {
		total += float64(w.Requests)
	}
	if total == 0 {
		return nil
	}
	shares := make([]float64, len(workers))
	for i, w := range workers {
		shares[i] = float64(w.Requests) / total
	}
	slices.SortFunc(shares, func(a, b float64) int { return cmp.Compare(b, a) })
	return shares
}
