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
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jessevdk/go-flags"
	"golang.org/x/term"
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
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

// Report writes err for the user, as "NAME: err" and, where there is one, "hint: …", and returns the
// exit code that it stands for.
func Report(w io.Writer, name string, err error) int {
	if err == nil {
		return OK
	}
	fmt.Fprintf(w, "%s: %s\n", name, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	if hint := HintOf(err); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
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

// DoubleDashes rewrites "-name" and "-name=value" to "--name…" for every long name that parser knows, in
// whatever command: go-flags would read "-rate 200" as "-r ate". Of names that nobody knows those are rewritten
// that do not begin with a short one, so that the error shows the whole name. Arguments after "--" stay as they
// are, and so does the argument that an option consumes.
func DoubleDashes(parser *flags.Parser, args []string) []string {
	long, short := map[string]bool{"help": true, "version": true}, map[byte]bool{'h': true}
	collect(parser.Command, long, short)
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && name[0] != '-' && (long[name] || isLetter(name[0]) && !short[name[0]]) {
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}

// Parse reads args for parser, -name as --name. What it asks for itself, as --help does, is written to stdout, and
// done tells that nothing else is to be done. Every error is a UsageError.
func Parse(parser *flags.Parser, args []string, stdout io.Writer) (rest []string, done bool, err error) {
	rest, err = parser.ParseArgs(DoubleDashes(parser, args))
	var known *flags.Error
	switch {
	case err == nil:
		return rest, false, nil
	case !errors.As(err, &known):
		return nil, false, &UsageError{err}
	case known.Type == flags.ErrHelp:
		_, err = fmt.Fprintln(stdout, strings.TrimRight(known.Message, "\n"))
		return nil, true, err
	case known.Type == flags.ErrUnknownFlag:
		return nil, false, Usagef("%s; accepted are %s", known.Message, strings.Join(accepted(parser), ", "))
	}
	return nil, false, &UsageError{errors.New(goType.ReplaceAllString(known.Message, ""))}
}

// goType is what go-flags says of a flag whose type reads itself; the type's own error says what is accepted.
var goType = regexp.MustCompile(` \(expected \w+\.\w+\)`)

// Completing returns the words to complete, and makes go-flags complete them, if a shell asks for that with
// "complete -C PROGRAM PROGRAM"; otherwise args. bash and zsh then give the line so far in the environment.
func Completing(args []string) []string {
	line, ok := os.LookupEnv("COMP_LINE")
	if !ok {
		return args
	}
	if point, err := strconv.Atoi(os.Getenv("COMP_POINT")); err == nil && point >= 0 && point < len(line) {
		line = line[:point]
	}
	words := strings.Fields(line)
	if line == "" || len(words) == 0 || os.Setenv("GO_FLAGS_COMPLETION", "1") != nil {
		return args
	}
	if strings.HasSuffix(line, " ") {
		words = append(words, "") // a new word begins
	}
	return words[1:]
}

// accepted lists the flags of the active commands and of the program.
func accepted(parser *flags.Parser) []string {
	var out []string
	for c := parser.Command; c != nil; c = c.Active {
		for _, g := range append([]*flags.Group{c.Group}, c.Groups()...) {
			for _, o := range g.Options() {
				if o.LongName != "" && !o.Hidden && !slices.Contains(out, "--"+o.LongName) {
					out = append(out, "--"+o.LongName)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// isLetter tells names from numbers, as in "-5".
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func collect(c *flags.Command, long map[string]bool, short map[byte]bool) {
	var groups func([]*flags.Group)
	groups = func(gs []*flags.Group) {
		for _, g := range gs {
			for _, o := range g.Options() {
				if o.LongName != "" {
					long[o.LongName] = true
				}
				if o.ShortName != 0 {
					short[byte(o.ShortName)] = true
				}
			}
			groups(g.Groups())
		}
	}
	groups(c.Groups())
	for _, sub := range c.Commands() {
		collect(sub, long, short)
	}
}

// IsTerminal tells whether f is a terminal, so that colour and live views make sense on it.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Colour tells whether to colour what goes to f: only on a terminal, and never with NO_COLOR set.
func Colour(f *os.File) bool { return os.Getenv("NO_COLOR") == "" && IsTerminal(f) }
