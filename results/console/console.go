// Package console lays text out for a terminal: colours, sentences broken between words, and tables that drop columns
// rather than wrap. What it is given may come from headers and files; nothing of it acts on the terminal.
package console

import (
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// DefaultWidth is how many columns there are where nobody says.
const DefaultWidth = 80

// Absent stands for a figure that is not known.
const Absent = "–"

// Style is a way to set text off.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Painter colours text, or not.
type Painter bool

// Paint returns text in a style.
func (on Painter) Paint(s Style, text string) string {
	if !on || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Width is how many columns w has, if it is a terminal.
func Width(w io.Writer, otherwise int) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return otherwise
}

// Columns is how wide text is on a terminal.
func Columns(text string) int { return ansi.StringWidth(text) }

// Cut shortens text to width columns.
func Cut(text string, width int) string { return ansi.Truncate(text, width, "…") }

// Clean takes out what would act on the terminal.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}

// Wrap breaks text between words into lines of at most width columns; a longer word is cut to pieces.
func Wrap(text string, width int) []string {
	const glue = "\ue000" // holds what belongs together, as a figure and its unit
	together := strings.NewReplacer(" · ", glue+"· ", " × ", glue+"×"+glue, " %", glue+"%", " ms", glue+"ms", " µs", glue+"µs", " s ", glue+"s ", " unexplained", glue+"unexplained")
	lines := []string{""}
	for word := range strings.FieldsSeq(together.Replace(Clean(text))) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case Columns(*last)+1+Columns(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
		for {
			last := &lines[len(lines)-1]
			head := ansi.Truncate(*last, width, "")
			if head == *last || head == "" {
				break
			}
			tail := strings.TrimPrefix(*last, head)
			*last = head
			lines = append(lines, tail)
		}
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], glue, " ")
	}
	return lines
}
