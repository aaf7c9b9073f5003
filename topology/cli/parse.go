package cli

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/jessevdk/go-flags"
)

// Version is what a command says of itself: its name, the version of the module and the commit, where Go knows it.
func Version(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name + " unknown"
	}
	text := name + " " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return text + " " + s.Value[:min(7, len(s.Value))]
		}
	}
	return text
}

// Parse reads args for parser, whose name is the command's, -name as --name. Every error is a UsageError, or an
// Answer: to --help, to --version, which the parser has as a flag, and to no arguments at all. When a shell asks for
// completion ("complete -C PROGRAM PROGRAM" in bash and zsh), it gets that, and the process ends.
func Parse(parser *flags.Parser, args []string) (rest []string, err error) {
	args = Completing(args)
	if len(args) == 0 && os.Getenv("GO_FLAGS_COMPLETION") == "" {
		var help bytes.Buffer
		parser.WriteHelp(&help)
		return nil, &Answer{help.String(), Usage}
	}
	rest, err = parser.ParseArgs(joinNumbers(parser, DoubleDashes(parser, args)))
	var known *flags.Error
	wrong := errors.As(err, &known)
	if o := parser.FindOptionByLongName("version"); o != nil && o.Value() == true &&
		(err == nil || wrong && known.Type == flags.ErrCommandRequired) {
		return nil, &Answer{Version(parser.Name), OK}
	}
	var usage *UsageError
	switch {
	case err == nil:
		return rest, nil
	case wrong && known.Type == flags.ErrHelp:
		return nil, &Answer{known.Message, OK}
	case wrong && known.Type == flags.ErrUnknownFlag:
		return nil, Usagef("%s; accepted are %s", known.Message, strings.Join(accepted(parser), ", "))
	case wrong && known.Type == flags.ErrCommandRequired:
		return nil, Usagef("no command is given; accepted are %s", strings.Join(commandNames(parser), ", "))
	case wrong && known.Type == flags.ErrUnknownCommand:
		_, name, _ := strings.Cut(known.Message, "`")
		name, _, _ = strings.Cut(name, "'")
		return nil, Usagef("unknown command %q; accepted are %s", name, strings.Join(commandNames(parser), ", "))
	case wrong && known.Type == flags.ErrExpectedArgument:
		return nil, Usagef("%s", lacking(parser, known.Message))
	case wrong:
		return nil, Usagef("%s", plain(known.Message))
	case errors.As(err, &usage):
		return nil, err
	}
	if number, ok := errors.AsType[*strconv.NumError](err); ok { // an argument that is no flag
		return nil, Usagef("%q is given; a whole number is accepted", number.Num)
	}
	return nil, err // of a command that go-flags has called
}

// badValue is how go-flags complains about a value: the flag, the type of its value, and what Go says. Types that
// read themselves say what is accepted.
var badValue = regexp.MustCompile(`(?s)^invalid argument for flag .(.+)' \(expected (\S+)\): (.*)$`)

// given finds in what Go says the value as it was given.
var given = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// plain says without the names of Go's functions and types what is wrong with a value.
func plain(message string) string {
	m := badValue.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	names := strings.Split(m[1], ", ")
	flag, kind, why := names[len(names)-1], m[2], m[3]
	value := given.FindString(why)
	switch {
	case strings.HasPrefix(kind, "int"):
		return flag + ": " + value + " is given; a whole number is accepted"
	case strings.HasPrefix(kind, "uint"):
		return flag + ": " + value + " is given; a whole number from 0 on is accepted"
	case strings.HasPrefix(kind, "float"):
		return flag + ": " + value + " is given; a number is accepted"
	case kind == "time.Duration":
		return flag + ": " + value + " is given; a time is accepted, for example 500ms or 10s"
	}
	return flag + ": " + why
}

// lacking says what a flag without its value accepts.
func lacking(parser *flags.Parser, message string) string {
	m := regexp.MustCompile("(?s)^expected argument for flag `(.+?)'(?:, but got .* [`\"'](.*)')?$").FindStringSubmatch(message)
	if m == nil {
		return message
	}
	names := strings.Split(m[1], ", ")
	flag, value := names[len(names)-1], "VALUE"
	for c := parser.Command; c != nil; c = c.Active {
		if o := c.FindOptionByLongName(strings.TrimPrefix(flag, "--")); o != nil && o.ValueName != "" {
			value = o.ValueName
		}
	}
	if m[2] != "" {
		return flag + ": " + strconv.Quote(m[2]) + " follows, a flag and no value; accepted is " + flag + "=" + value
	}
	return flag + ": no value is given; accepted is " + flag + "=" + value
}

// DoubleDashes rewrites "-name" and "-name=value" to "--name…" for every long name that parser knows, in
// whatever command: go-flags would read "-rate 200" as "-r ate". What nobody knows is rewritten, too, where it is a
// word and not a row of switches, so that the error shows the whole word. Arguments after "--" stay as they are.
func DoubleDashes(parser *flags.Parser, args []string) []string {
	long, short := map[string]bool{"help": true}, map[byte]bool{'h': true}
	collect(parser.Command, long, short)
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		_, known := long[name]
		if strings.HasPrefix(arg, "-") && len(name) > 1 && name[0] != '-' && (known || isWord(name, short)) {
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}

// joinNumbers joins a number below 0 to the flag before it: go-flags would take it for a flag.
func joinNumbers(parser *flags.Parser, args []string) []string {
	var out []string
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		if _, err := strconv.ParseFloat(arg, 64); err == nil && arg[0] == '-' && i > 0 && wantsValue(parser, args[i-1]) {
			out[len(out)-1] += "=" + arg
			continue
		}
		out = append(out, arg)
	}
	return out
}

// wantsValue tells whether an argument is a flag whose value is the next one.
func wantsValue(parser *flags.Parser, arg string) bool {
	long, short := map[string]bool{}, map[byte]bool{}
	collect(parser.Command, long, short)
	if name, isLong := strings.CutPrefix(arg, "--"); isLong {
		isSwitch, known := long[name]
		return known && !isSwitch
	}
	isSwitch, known := short[arg[len(arg)-1]]
	return len(arg) == 2 && arg[0] == '-' && known && !isSwitch
}

// isWord tells a name from a number, from a short flag with its value (-r200) and from a row of switches, of which
// the last may want a value. Short maps the names of short flags to whether they are switches.
func isWord(name string, short map[byte]bool) bool {
	if _, known := short[name[0]]; !known || !isLetter(name[0]) {
		return isLetter(name[0])
	}
	for len(name) > 1 && short[name[0]] {
		name = name[1:]
	}
	_, known := short[name[0]]
	return isLetter(name[0]) && (!known || len(name) > 1 && isLetter(name[1]))
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// collect maps the names of all flags to whether they are switches.
func collect(c *flags.Command, long map[string]bool, short map[byte]bool) {
	var groups func([]*flags.Group)
	groups = func(gs []*flags.Group) {
		for _, g := range gs {
			for _, o := range g.Options() {
				_, isSwitch := o.Value().(bool)
				if o.LongName != "" {
					long[o.LongName] = isSwitch
				}
				if o.ShortName != 0 {
					short[byte(o.ShortName)] = isSwitch
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
	var add func(*flags.Group)
	add = func(g *flags.Group) {
		for _, o := range g.Options() {
			if o.LongName != "" && !o.Hidden && !slices.Contains(out, "--"+o.LongName) {
				out = append(out, "--"+o.LongName)
			}
		}
		for _, inner := range g.Groups() {
			add(inner)
		}
	}
	for c := parser.Command; c != nil; c = c.Active {
		add(c.Group)
	}
	slices.Sort(out)
	return out
}

func commandNames(parser *flags.Parser) []string {
	var out []string
	for _, c := range parser.Commands() {
		if !c.Hidden {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}
