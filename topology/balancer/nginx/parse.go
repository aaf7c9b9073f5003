package nginx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nginxinc/nginx-go-crossplane"
)

// sources are the files of one configuration: on this machine, or as `nginx -T` prints them on another.
type sources struct {
	main    string            // as the caller calls it
	texts   map[string][]byte // by path; the main file's, and those of a dump
	here    bool              // included files are on this machine
	missing []string          // included, and not to be had
}

// marker is the line with which nginx -T begins each file.
var marker = regexp.MustCompile(`(?m)^# configuration file (.+):\r?\n`)

// load reads the main file; "-" is standard input. The output of nginx -T has all other files in it.
func load(file string) (*sources, error) {
	s := &sources{main: file, here: file != "-"}
	var text []byte
	var err error
	if s.here {
		text, err = os.ReadFile(file)
	} else {
		s.main = "standard input"
		text, err = io.ReadAll(os.Stdin)
	}
	if err != nil {
		return nil, fmt.Errorf("nginx configuration: %w", err)
	}
	s.texts = map[string][]byte{s.main: text}
	if parts := marker.FindAllSubmatchIndex(text, -1); len(parts) > 0 {
		s.here = false
		s.main = string(text[parts[0][2]:parts[0][3]])
		for i, at := range parts {
			end := len(text)
			if i+1 < len(parts) {
				end = parts[i+1][0]
			}
			s.texts[string(text[at[2]:at[3]])] = text[at[1]:end]
		}
	}
	return s, nil
}

// parseFile loads a file and parses it.
func parseFile(file string) (*sources, crossplane.Directives, error) {
	src, err := load(file)
	if err != nil {
		return nil, nil, err
	}
	directives, err := src.parse()
	return src, directives, err
}

// open finds a file. One that is not to be had is empty and remembered: what it says may not matter.
func (s *sources) open(path string) (io.ReadCloser, error) {
	text, ok := s.texts[path]
	if !ok && s.here {
		var err error
		text, err = os.ReadFile(path)
		ok = err == nil
	}
	if !ok && !slices.Contains(s.missing, path) {
		s.missing = append(s.missing, path)
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

func (s *sources) glob(pattern string) ([]string, error) {
	if s.here {
		return filepath.Glob(pattern)
	}
	var found []string
	for path := range s.texts {
		if ok, err := filepath.Match(pattern, path); err != nil {
			return nil, err
		} else if ok {
			found = append(found, path)
		}
	}
	return found, nil
}

// parse returns the directives of the main file, comments too, with those of included files in their places.
func (s *sources) parse() (directives crossplane.Directives, err error) {
	defer func() { // crossplane panics on an "if" without a condition
		if p := recover(); p != nil {
			directives, err = nil, fmt.Errorf("%s: it is no configuration that can be read: %v", s.main, p)
		}
	}()
	payload, err := crossplane.Parse(s.main, &crossplane.ParseOptions{
		CombineConfigs:            true,
		StopParsingOnError:        true,
		ParseComments:             true,
		SkipDirectiveContextCheck: true, // modules that are not known here
		SkipDirectiveArgsCheck:    true,
		Open:                      s.open,
		Glob:                      s.glob,
		LexOptions:                crossplane.LexOptions{Lexers: []crossplane.RegisterLexer{new(crossplane.Lua).RegisterLexer()}}, // takes a block of Lua as one word
	})
	if err != nil {
		if at, ok := errors.AsType[*crossplane.ParseError](err); ok && at.File != nil && at.Line != nil {
			return nil, fmt.Errorf("%s:%d: %s", *at.File, *at.Line, at.What)
		}
		return nil, fmt.Errorf("%s: %w", s.main, err)
	}
	if len(payload.Config) == 0 {
		return nil, nil
	}
	return payload.Config[0].Parsed, nil
}

// build is the text of directives. What it would not read back as the same is an error, never another
// configuration: crossplane leaves a few odd words without the quotes that they had.
func build(directives crossplane.Directives) (string, error) {
	text, err := render(directives)
	if err != nil {
		return "", err
	}
	copied := &sources{main: "the copy", texts: map[string][]byte{"the copy": []byte(text)}}
	again, err := copied.parse()
	if err != nil {
		return "", fmt.Errorf("can't be copied: %w", err)
	}
	if !same(directives, again) {
		return "", errors.New("can't be copied faithfully: a word in it needs quotes that would be lost")
	}
	return text, nil
}

func render(directives crossplane.Directives) (string, error) {
	var b strings.Builder
	options := &crossplane.BuildOptions{Builders: []crossplane.RegisterBuilder{new(crossplane.Lua).RegisterBuilder()}}
	if err := crossplane.Build(&b, crossplane.Config{Parsed: directives}, options); err != nil {
		return "", err
	}
	return b.String() + "\n", nil
}

// same tells whether both say the same, comments apart.
func same(a, b crossplane.Directives) bool {
	a, b = withoutComments(a), withoutComments(b)
	return slices.EqualFunc(a, b, func(x, y *crossplane.Directive) bool {
		return x.Directive == y.Directive && slices.Equal(x.Args, y.Args) && x.IsBlock() == y.IsBlock() && same(x.Block, y.Block)
	})
}

func withoutComments(all crossplane.Directives) crossplane.Directives {
	return slices.DeleteFunc(slices.Clone(all), func(d *crossplane.Directive) bool { return d.IsComment() })
}

// at places an error in the file.
func at(d *crossplane.Directive, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", d.File, d.Line, fmt.Sprintf(format, args...))
}
