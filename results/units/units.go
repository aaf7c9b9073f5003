// Package units writes measured figures for people: three significant digits and the unit that makes the
// number short.
package units

import (
	"fmt"
	"math"
	"strconv"
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
)

// Format writes v with its unit.
func Format(v float64, u Unit) string {
	if math.IsNaN(v) {
		return "–"
	}
	abs := math.Abs(v)
	switch u {
	case Seconds:
		switch {
		case abs == 0:
			return "0 s"
		case abs < 1e-3:
			return digits(v*1e6) + " µs"
		case abs < 1:
			return digits(v*1e3) + " ms"
		}
		return digits(v) + " s"
	case PerSecond:
		switch {
		case abs >= 1e9:
			return digits(v/1e9) + " G/s"
		case abs >= 1e6:
			return digits(v/1e6) + " M/s"
		case abs >= 1e4:
			return digits(v/1e3) + " k/s"
		}
		return digits(v) + " /s"
	case Bytes:
		switch {
		case abs >= 1<<30:
			return digits(v/(1<<30)) + " GiB"
		case abs >= 1<<20:
			return digits(v/(1<<20)) + " MiB"
		case abs >= 1<<10:
			return digits(v/(1<<10)) + " KiB"
		}
		return digits(v) + " B"
	case Ratio:
		return Percent(v)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// Percent writes a ratio in percent. A small one that is not zero doesn't become one.
func Percent(v float64) string {
	p := v * 100
	switch abs := math.Abs(p); {
	case abs > 0 && abs < 0.01:
		return "<0.01 %"
	case abs == 0 || abs == 100:
		return fmt.Sprintf("%.0f %%", p)
	case abs < 1:
		return fmt.Sprintf("%.2f %%", p)
	}
	return fmt.Sprintf("%.1f %%", p)
}

// Signed writes a relative change in percent, with its sign, or as a factor where it is tenfold and more.
func Signed(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	if v == 0 {
		return "0 %"
	}
	if v >= 9.995 { // percentages over a thousand are hard to read
		return "×" + digits(v+1)
	}
	return fmt.Sprintf("%+.1f %%", v*100)
}

// digits writes three significant digits, and all of an integer part.
func digits(v float64) string {
	abs := math.Abs(v)
	switch {
	case abs >= 100 || abs == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Plain is a bare number.
const Plain Unit = ""

// Short writes v for an axis, without digits that say nothing: "1 ms", "50 µs", "20 %".
func Short(v float64, u Unit) string {
	compact := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch {
	case u == Plain || v == 0 && u != Ratio:
		return compact(v)
	case u == Ratio:
		return compact(v*100) + " %"
	case u == PerSecond && math.Abs(v) >= 1e6:
		return compact(v/1e6) + " M"
	case u == PerSecond && math.Abs(v) >= 1e3:
		return compact(v/1e3) + " k"
	case u == PerSecond:
		return compact(v)
	case u == Seconds && math.Abs(v) < 1e-3*(1-1e-9):
		return compact(v*1e6) + " µs"
	case u == Seconds && math.Abs(v) < 1-1e-9:
		return compact(v*1e3) + " ms"
	case u == Seconds:
		return compact(v) + " s"
	}
	return Format(v, u)
}
