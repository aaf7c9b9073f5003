// Package cli holds the manners that the four commands share: how flags may be written, what goes to
// which stream, and what an exit code means.
//
//	0  done
//	1  failed at run time: one line on stderr with the object and the cause, and a "hint:" line where one helps
//	2  called wrongly: one line that names the flag, what was given and what is accepted
//	3  a verdict failed (a threshold, a distribution)
package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"balanceo/results/console"
)

// Exit codes of every command.
const (
	OK      = 0
	Failure = 1
	Usage   = 2
	Verdict = 3
)

// UsageError is a call that can't be understood: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError. The text names the flag, what was given and what is accepted.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// VerdictError is a run that was measured and found wanting: exit code 3. The report has said why already.
type VerdictError struct{ Reason string }

func (e *VerdictError) Error() string { return e.Reason }

// Answer is what a call asks for instead of work, or is told: help or the version.
type Answer struct { //nolint:errname // nothing went wrong
	Text string
	Code int
}

func (a *Answer) Error() string { return a.Text }

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint adds to err what the user can do about it.
func Hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// HintOf returns the hint that err carries, "" for none.
func HintOf(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	return ""
}

// Exit writes what a command ended with, an Answer as it is and anything else by Report, and returns the exit code.
func Exit(stdout, stderr io.Writer, name string, err error) int {
	var answer *Answer
	if !errors.As(err, &answer) {
		return Report(stderr, name, err)
	}
	w := stdout
	if answer.Code != OK {
		w = stderr
	}
	fmt.Fprintln(w, strings.TrimRight(answer.Text, "\n"))
	return answer.Code
}

// Report writes err for the user, as "NAME: err" and, where there is one, "hint: …", and returns the
// exit code that it stands for.
func Report(w io.Writer, name string, err error) int {
	if err == nil {
		return OK
	}
	fmt.Fprintln(w, fitted(w, name+": "+strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")))
	if hint := HintOf(err); hint != "" {
		fmt.Fprintln(w, fitted(w, "hint: "+hint))
	}
	var usage *UsageError
	var verdict *VerdictError
	switch {
	case errors.As(err, &usage):
		return Usage
	case errors.As(err, &verdict):
		return Verdict
	}
	return Failure
}

// fitted breaks a line between words where w is a terminal, which would break it anywhere.
func fitted(w io.Writer, line string) string {
	return wrap(line, console.Width(w, math.MaxInt))
}

// wrap breaks a line at its spaces only: a flag or a path stays whole.
func wrap(line string, width int) string {
	words := strings.Split(line, " ")
	out, at := words[0], ansi.StringWidth(words[0])
	for _, word := range words[1:] {
		n := ansi.StringWidth(word)
		if at+1+n > width {
			out, at = out+"\n"+word, n
			continue
		}
		out, at = out+" "+word, at+1+n
	}
	return out
}

// IsTerminal tells whether f is a terminal, so that colour and live views make sense on it.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Colour tells whether to colour what goes to f: only on a terminal, and never with NO_COLOR set.
func Colour(f *os.File) bool { return os.Getenv("NO_COLOR") == "" && IsTerminal(f) }
