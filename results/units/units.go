// Package units writes measured figures for people: three significant digits and the unit that makes the
// number short.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// Unit is what a figure is measured in.
type Unit string

// The units of a run record.
const (
	Seconds   Unit = "s"
	PerSecond Unit = "/s"
	Bytes     Unit = "B"
	Ratio     Unit = "ratio" // 0..1, written in percent
	Index     Unit = "index" // 0..1, written as it is
	Plain     Unit = ""      // a bare number
)

// scale is a multiple of a unit and from where on it is used.
type scale struct {
	factor, from float64
	name         string
}

// scales are the multiples of a unit, the largest first.
func (u Unit) scales() []scale {
	const round = 0.9995 // what would be rounded to the next multiple is written in it
	switch u {
	case Seconds:
		return []scale{{1, round, " s"}, {1e-3, round * 1e-3, " ms"}, {1e-6, 0, " µs"}}
	case PerSecond:
		return []scale{{1e9, round * 1e9, " G/s"}, {1e6, round * 1e6, " M/s"}, {1e3, 1e4, " k/s"}, {1, 0, " /s"}}
	case Bytes:
		return []scale{{1 << 30, 1 << 30, " GiB"}, {1 << 20, 1 << 20, " MiB"}, {1 << 10, 1 << 10, " KiB"}, {1, 0, " B"}}
	}
	return nil
}

// Format writes v with its unit.
func Format(v float64, u Unit) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case u == Ratio:
		return Percent(v)
	case u == Seconds && v == 0:
		return "0 s"
	}
	for _, s := range u.scales() {
		if math.Abs(v) >= s.from {
			return digits(v/s.factor) + s.name
		}
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// Narrow is Format for the column of a table.
func Narrow(v float64, u Unit) string { return strings.ReplaceAll(Format(v, u), " ", "") }

// Percent writes a ratio in percent. A small one that is not zero doesn't become one, and what is not all does not
// become 100 %.
func Percent(v float64) string {
	p := v * 100
	switch abs := math.Abs(p); {
	case abs > 0 && abs < 0.01:
		return "<0.01 %"
	case abs == 0 || abs == 100:
		return fmt.Sprintf("%.0f %%", p)
	case abs > 99 && abs < 100:
		return fmt.Sprintf("%.2f %%", math.Copysign(min(abs, 99.99), p))
	case abs < 1:
		return fmt.Sprintf("%.2f %%", p)
	}
	return fmt.Sprintf("%.1f %%", p)
}

// Signed writes a relative change in percent, with its sign, or as a factor where it is tenfold and more.
func Signed(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == 0:
		return "0 %"
	case v >= 9.995: // percentages over a thousand are hard to read
		return "×" + digits(v+1)
	}
	return fmt.Sprintf("%+.1f %%", v*100)
}

// Number writes a bare number with at most two decimals, or three digits where it is small, and commas between thousands.
func Number(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case abs >= 1e15 || abs > 0 && abs < 0.1:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return humanize.Commaf(math.Round(v*100) / 100)
}

// Difference writes how many more, or less.
func Difference(v float64) string {
	if v = math.Round(v*10) / 10; v > 0 {
		return "+" + Number(v)
	}
	return Number(v + 0) // no "-0"
}

// Count writes how many there are, in words: "1 request", "1,500 requests".
func Count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}

// List joins texts for a sentence: "a, b and c".
func List(texts []string) string {
	last := len(texts) - 1
	if last < 1 {
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:last], ", ") + " and " + texts[last]
}

// IsAre is the verb of so many.
func IsAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// digits writes three significant digits, and all of an integer part.
func digits(v float64) string {
	abs := math.Abs(v)
	switch {
	case abs >= 99.95 || abs == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Short writes v for an axis, without digits that say nothing: "1 ms", "50 µs", "20 %".
func Short(v float64, u Unit) string {
	compact := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch {
	case u == Ratio:
		return compact(v*100) + " %"
	case u == Plain || v == 0:
		return compact(v)
	case u == PerSecond && math.Abs(v) >= 1e3 && math.Abs(v) < 1e4:
		return compact(v/1e3) + " k"
	}
	for _, s := range u.scales() {
		if math.Abs(v) >= s.from*(1-1e-9) {
			return compact(v/s.factor) + strings.TrimSuffix(strings.TrimSuffix(s.name, "/s"), " ")
		}
	}
	return Format(v, u)
}
