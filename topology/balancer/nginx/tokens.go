package nginx

import (
	"errors"
	"fmt"
	"strings"
)

// token is a word, a ";", a "{" or a "}" of an nginx configuration, with its place in the text. crossplane,
// which reads the meaning, keeps no columns; without them a changed copy would lose its layout and comments.
type token struct {
	value      string // without quotes
	start, end int    // in the text, quotes included
	line       int
	quoted     bool
}

func (t token) is(special string) bool { return !t.quoted && t.value == special }

// tokenize cuts the text of one file. Comments and space fall away.
func tokenize(text string) ([]token, error) {
	var out []token
	line := 1
	for i := 0; i < len(text); {
		switch text[i] {
		case '\n':
			line++
			i++
		case ' ', '\t', '\r':
			i++
		case '#':
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case ';', '{', '}':
			out = append(out, token{value: text[i : i+1], start: i, end: i + 1, line: line})
			i++
		default:
			t, err := word(text, i, line)
			if err != nil {
				return nil, err
			}
			line += strings.Count(text[t.start:t.end], "\n")
			out = append(out, t)
			i = t.end
		}
	}
	return out, nil
}

// word reads one word or one quoted text from i on.
func word(text string, i, line int) (token, error) {
	t := token{start: i, line: line}
	if q := text[i]; q == '"' || q == '\'' {
		var b strings.Builder
		for j := i + 1; j < len(text); j++ {
			switch {
			case text[j] == '\\' && j+1 < len(text):
				b.WriteString(text[j : j+2])
				j++
			case text[j] == q:
				t.value, t.end, t.quoted = b.String(), j+1, true
				return t, nil
			default:
				b.WriteByte(text[j])
			}
		}
		return t, fmt.Errorf("line %d: the quote is not closed", line)
	}
	j := i
	for j < len(text) && !strings.ContainsRune(" \t\r\n;{", rune(text[j])) {
		switch {
		case text[j] == '\\' && j+1 < len(text):
			j += 2
		case strings.HasPrefix(text[j:], "${"): // a variable
			n := strings.IndexByte(text[j:], '}')
			if n < 0 {
				return t, fmt.Errorf("line %d: ${ is not closed", line)
			}
			j += n + 1
		default:
			j++
		}
	}
	t.value, t.end = text[i:j], j
	return t, nil
}

// statement is one directive: its words, and whether a block follows.
type statement struct {
	words []token
	block bool
	last  token // the ";" or "{"
}

func (s statement) name() string { return s.words[0].value }

func (s statement) arg(i int) string {
	if i+1 < len(s.words) {
		return s.words[i+1].value
	}
	return ""
}

var errBraces = errors.New("braces do not match")

// walk calls visit for every directive in order, with the names of the blocks around it, outermost first.
func walk(tokens []token, around []string, visit func(around []string, s statement) error) error {
	var words []token
	depth := len(around)
	for _, t := range tokens {
		switch {
		case t.is(";") || t.is("{"):
			if len(words) == 0 {
				return fmt.Errorf("line %d: unexpected %q", t.line, t.value)
			}
			s := statement{words: words, block: t.value == "{", last: t}
			if err := visit(around, s); err != nil {
				return err
			}
			if s.block {
				around = append(around[:len(around):len(around)], s.name())
			}
			words = nil
		case t.is("}"):
			if len(words) > 0 || len(around) <= depth {
				return fmt.Errorf("line %d: unexpected %q", t.line, t.value)
			}
			around = around[:len(around)-1]
		default:
			words = append(words, t)
		}
	}
	if len(words) > 0 || len(around) != depth {
		return errBraces
	}
	return nil
}
