package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jessevdk/go-flags"
)

type options struct {
	Rate  int      `short:"r" long:"rate"`
	Quiet bool     `short:"q" long:"quiet"`
	Hid   bool     `long:"hidden" hidden:"yes"`
	Odd   odd      `long:"odd"`
	List  []string `long:"list"`

	Group struct {
		Every time.Duration `long:"every"`
	} `group:"Times"`
	Version bool `long:"version"`
}

type odd int

func (o *odd) UnmarshalFlag(text string) error {
	return fmt.Errorf("%q is even; accepted are odd numbers", text)
}

func newParser(t *testing.T) (*flags.Parser, *options) {
	t.Helper()
	o := &options{}
	p := flags.NewNamedParser("x", flags.HelpFlag|flags.PassDoubleDash)
	if _, err := p.AddGroup("Options", "", o); err != nil {
		t.Fatal(err)
	}
	p.SubcommandsOptional = true
	if _, err := p.AddCommand("sub", "", "", &struct {
		Depth int `long:"depth"`
		Args  struct {
			N int
		} `positional-args:"yes"`
	}{}); err != nil {
		t.Fatal(err)
	}
	return p, o
}

func TestDoubleDashes(t *testing.T) {
	tests := []struct{ given, want string }{
		{"-rate 200", "--rate 200"},
		{"-rate=200", "--rate=200"},
		{"--rate=200 -r 200 -q", "--rate=200 -r 200 -q"},
		{"-r200", "-r200"},
		{"-help -version", "--help --version"},
		{"sub -depth 1", "sub --depth 1"},
		{"-foo", "--foo"},
		{"-foo=1", "--foo=1"},
		{"-5 -0x", "-5 -0x"},
		{"-", "-"},
		{"-- -rate 1", "-- -rate 1"},
		{"-qr", "-qr"},
		{"-rate200", "--rate200"},
		{"-quiz", "--quiz"},
		{"---rate", "---rate"},
	}
	for _, tt := range tests {
		p, _ := newParser(t)
		if got := strings.Join(DoubleDashes(p, strings.Fields(tt.given)), " "); got != tt.want {
			t.Errorf("DoubleDashes(%q): got %q, want %q", tt.given, got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		given string
		rate  int
		rest  []string
		err   string // "" for none; else the whole text of the UsageError
	}{
		{"-rate 200 a b", 200, []string{"a", "b"}, ""},
		{"-r 7 -- -rate 9", 7, []string{"-rate", "9"}, ""},
		{"--foo", 0, nil, "unknown flag `foo'; accepted are --every, --help, --list, --odd, --quiet, --rate, --version"},
		{"-rubbish", 0, nil, "unknown flag `rubbish'; accepted are --every, --help, --list, --odd, --quiet, --rate, --version"},
		{"sub -foo", 0, nil, "unknown flag `foo'; accepted are --depth, --every, --help, --list, --odd, --quiet, --rate, --version"},
		{"-odd 2", 0, nil, `--odd: "2" is even; accepted are odd numbers`},
		{"-rate", 0, nil, "--rate: no value is given; accepted is --rate=VALUE"},
		{"-rate -quiet", 0, nil, `--rate: "--quiet" follows, a flag and no value; accepted is --rate=VALUE`},
		{"-rate -5 -r -6.5 a", 0, nil, `--rate: "-6.5" is given; a whole number is accepted`},
		{"-rate -5 -quiet a", -5, []string{"a"}, ""},
		{"-quiet -5", 0, nil, "unknown flag `5'; accepted are --every, --help, --list, --odd, --quiet, --rate, --version"},
		{"-rate x", 0, nil, `--rate: "x" is given; a whole number is accepted`},
		{"-rate 99999999999999999999", 0, nil, `--rate: "99999999999999999999" is given; a whole number is accepted`},
		{"-every 5", 0, nil, `--every: "5" is given; a time is accepted, for example 500ms or 10s`},
		{"sub -depth -- x", 0, nil, `--depth: "--" follows, a flag and no value; accepted is --depth=VALUE`},
		{"sub x", 0, nil, `"x" is given; a whole number is accepted`},
	}
	for _, tt := range tests {
		p, o := newParser(t)
		rest, err := Parse(p, strings.Fields(tt.given))
		if tt.err != "" {
			var usage *UsageError
			if !errors.As(err, &usage) || err.Error() != tt.err {
				t.Errorf("Parse(%q): got %v, want the UsageError %q", tt.given, err, tt.err)
			}
			continue
		}
		if err != nil || o.Rate != tt.rate || !cmp.Equal(rest, tt.rest) {
			t.Errorf("Parse(%q): got %v, %v, rate %d", tt.given, rest, err, o.Rate)
		}
	}
}

func TestAnswers(t *testing.T) {
	for given, want := range map[string]struct {
		text string
		code int
	}{
		"-help": {"Usage:", OK}, "sub -h": {"--depth", OK}, "--version": {"x ", OK}, "-version": {"x ", OK}, "": {"Usage:", Usage},
	} {
		p, _ := newParser(t)
		p.SubcommandsOptional = false // as of a command that does nothing by itself
		_, err := Parse(p, strings.Fields(given))
		var stdout, stderr bytes.Buffer
		code := Exit(&stdout, &stderr, "x", err)
		said, silent := &stdout, &stderr
		if want.code != OK {
			said, silent = silent, said
		}
		if code != want.code || !strings.Contains(said.String(), want.text) || silent.Len() > 0 {
			t.Errorf("Parse(%q): got code %d, %q, %q, want %d and %q", given, code, &stdout, &stderr, want.code, want.text)
		}
	}
	p, _ := newParser(t)
	p.SubcommandsOptional = false
	if _, err := Parse(p, []string{"sup"}); err == nil || err.Error() != `unknown command "sup"; accepted are sub` {
		t.Errorf("Parse of an unknown command: got %v", err)
	}
}

func TestReport(t *testing.T) {
	plain := errors.New("no\nway")
	tests := []struct {
		err  error
		code int
		want string
	}{
		{nil, OK, ""},
		{plain, Failure, "x: no; way\n"},
		{Usagef("bad %d", 1), Usage, "x: bad 1\n"},
		{fmt.Errorf("in: %w", Usagef("bad")), Usage, "x: in: bad\n"},
		{Hint(plain, "do %s", "this"), Failure, "x: no; way\nhint: do this\n"},
		{fmt.Errorf("in: %w", Hint(Usagef("bad"), "do this")), Usage, "x: in: bad\nhint: do this\n"},
		{&VerdictError{"too slow"}, Verdict, "x: too slow\n"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		if code := Report(&out, "x", tt.err); code != tt.code || out.String() != tt.want {
			t.Errorf("Report(%v): got %d, %q, want %d, %q", tt.err, code, &out, tt.code, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "",
		"short":                    "short",
		"x: --one, --two-three, a": "x: --one,\n--two-three,\na",
		"a /path/that/is/longer b": "a\n/path/that/is/longer\nb",
		"ñandú osito ñandú":        "ñandú osito\nñandú",
	} {
		if got := wrap(line, 12); got != want {
			t.Errorf("wrap(%q, 12): got %q, want %q", line, got, want)
		}
	}
}

// Whatever the arguments: no panic, and as many words as before.
func FuzzDoubleDashes(f *testing.F) {
	f.Add("-rate 1 -- -x")
	f.Add("- -- --- -= -r=")
	f.Fuzz(func(t *testing.T, line string) {
		o := &options{}
		p := flags.NewNamedParser("x", flags.HelpFlag)
		if _, err := p.AddGroup("Options", "", o); err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(line)
		if got := DoubleDashes(p, args); len(got) != len(args) {
			t.Fatalf("DoubleDashes(%q): got %q", args, got)
		}
		_, _ = Parse(p, args)
	})
}

func TestCompleting(t *testing.T) {
	args := []string{"x", "y"}
	tests := []struct {
		line, point string
		want        []string
	}{
		{"topology up --la", "16", []string{"up", "--la"}},
		{"topology up --la more", "16", []string{"up", "--la"}},
		{"topology up ", "12", []string{"up", ""}},
		{"topology", "8", []string{}},
		{"topology up", "99", []string{"up"}},
		{"topology up", "-1", []string{"up"}},
		{"topology up", "", []string{"up"}},
		{"", "0", args},
		{"   ", "3", args},
	}
	for _, tt := range tests {
		t.Setenv("GO_FLAGS_COMPLETION", "")
		t.Setenv("COMP_LINE", tt.line)
		t.Setenv("COMP_POINT", tt.point)
		if got := Completing(args); !cmp.Equal(got, tt.want) {
			t.Errorf("Completing with COMP_LINE=%q, COMP_POINT=%q: got %q, want %q", tt.line, tt.point, got, tt.want)
		}
	}
}
