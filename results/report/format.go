package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/charmbracelet/lipgloss"
)

// absent stands for a figure that is not known.
const absent = "–"

// style is a way to set text off.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// painter colours text, or not.
type painter bool

func (on painter) as(s style, text string) string {
	if !on || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// columns is how wide text is on a terminal.
func columns(text string) int { return lipgloss.Width(text) }

// clean takes out what would act on the terminal: names come from headers and files.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}

// cut shortens text to width columns.
func cut(text string, width int) string {
	if columns(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && columns(string(runes)) > width-1 {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// wrap breaks text between words into lines of at most width columns; a longer word is cut to pieces.
func wrap(text string, width int) []string {
	var lines []string
	var line string
	for _, word := range strings.Fields(clean(text)) {
		for columns(word) > width {
			runes := []rune(word)
			n := len(runes)
			for columns(string(runes[:n])) > width {
				n--
			}
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string(runes[:n])), string(runes[n:])
		}
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// join puts the parts that are not empty together.
func join(separator string, parts ...string) string {
	return clean(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator))
}

func plural(n float64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// integer has a comma between thousands.
func integer(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func optional(n *int64) string {
	if n == nil {
		return absent
	}
	return integer(*n)
}

// decimals is v with n decimals and commas between thousands; without decimals where they say nothing.
func decimals(v float64, n int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return absent
	}
	if math.Abs(v) >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', n, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	i, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return text
	}
	out := integer(i)
	if n > 0 {
		out += "." + fraction
	}
	if v < 0 && strings.Trim(text, "0.") != "" {
		out = "-" + out
	}
	return out
}

// number is v with as many decimals as it needs, at most two under 1,000 and one above.
func number(v float64) string {
	if v != math.Trunc(v) {
		if math.Abs(v) >= 1000 {
			return decimals(v, 1)
		}
		if math.Abs(v) < 0.1 {
			return strconv.FormatFloat(v, 'g', 3, 64)
		}
		return decimals(v, 2)
	}
	return decimals(v, 0)
}

// signed has its sign, a plus too.
func signed(v float64) string {
	text := decimals(v, 1)
	if v > 0 && strings.Trim(text, "0.,") != "" {
		return "+" + text
	}
	return text
}

// percent is a ratio in percent. What is not all is never rounded up to 100.
func percent(ratio float64) string {
	p := 100 * ratio
	if p < 100 && p > 99.99 {
		p = 99.99
	}
	if p == math.Trunc(p) {
		return decimals(p, 0)
	}
	return decimals(p, 2)
}

// three is v with three significant digits.
func three(v float64) string {
	switch {
	case v >= 99.95:
		return decimals(v, 0)
	case v >= 9.995:
		return decimals(v, 1)
	}
	return decimals(v, 2)
}

// duration is a time in seconds, with three significant digits.
func duration(s float64) string {
	switch {
	case s <= 0 || math.IsNaN(s):
		return "0 s"
	case s < 1e-6:
		return three(s*1e9) + " ns"
	case s < 999.5e-6:
		return three(s*1e6) + " µs"
	case s < 999.5e-3:
		return three(s*1e3) + " ms"
	}
	return three(s) + " s"
}

// span is how long something lasted, in seconds, as far as that is not a whole number of them.
func span(s float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(decimals(s, 1), "0"), ".") + " s"
}

// latency is a percentile of n requests, narrow enough for a column.
func latency(s float64, n int64) string {
	if n == 0 {
		return absent
	}
	return strings.ReplaceAll(duration(s), " ", "")
}

// scaled is v in thousands, millions or billions.
func scaled(v float64) string {
	for _, unit := range []struct {
		factor float64
		name   string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v >= unit.factor {
			return three(v/unit.factor) + unit.name
		}
	}
	return three(v)
}

func megabytes(n int64) string {
	if n <= 0 {
		return absent
	}
	return decimals(float64(n)/(1<<20), 0) + " MB"
}

func per(v float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return v / float64(n)
}

// counts is "200 × 1,000 · 302 × 500", by key.
func counts(m map[string]int64, none string) string {
	parts := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s × %s", clean(key), integer(m[key])))
	}
	return or(strings.Join(parts, " · "), none)
}
