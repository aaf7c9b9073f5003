package reconcile

import (
	"bytes"
	"strconv"

	"balanceo/loadgen/tally"
)

// scanner reads lines of the log several times as fast as encoding/json, which would take seconds for the
// million lines of a long run. It reads one flat object of plain strings and numbers, as nginx
// writes nearly always, and leaves everything else to encoding/json.
type scanner struct{ known tally.Interner }

// scan reads text into l; false: it is not plain, and l has no meaning.
func (s *scanner) scan(text []byte, l *line) bool {
	for _, b := range text {
		if b < ' ' || b >= 0x7f || b == '\\' {
			return false
		}
	}
	if len(text) < 2 || text[0] != '{' {
		return false
	}
	rest := text[1:]
	for {
		var key, value []byte
		var quoted, ok bool
		if key, rest, ok = cutString(rest); !ok || !plainKey(key) || len(rest) == 0 || rest[0] != ':' {
			return false
		}
		rest = rest[1:]
		if value, rest, ok = cutString(rest); ok {
			quoted = true
		} else if value, rest = cutNumber(rest); len(value) == 0 {
			return false
		}
		if !s.set(l, string(key), value, quoted) || len(rest) == 0 {
			return false
		}
		if rest[0] == '}' {
			return len(rest) == 1
		}
		if rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
}

// cutString takes a string without escapes off the front of text.
func cutString(text []byte) (value, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return nil, text, false
	}
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return nil, text, false
	}
	return text[1 : 1+end], text[end+2:], true
}

// cutNumber takes everything up to the next comma or brace off the front of text.
func cutNumber(text []byte) (value, rest []byte) {
	for i, b := range text {
		if b == ',' || b == '}' {
			return text[:i], text[i:]
		}
	}
	return nil, text
}

// plainKey keeps away from keys that encoding/json would take for others that differ in their case.
func plainKey(key []byte) bool {
	for _, b := range key {
		if (b < 'a' || b > 'z') && b != '_' {
			return false
		}
	}
	return true
}

func (s *scanner) set(l *line, key string, value []byte, quoted bool) bool {
	var err error
	switch key {
	case "msec", "request_time":
		if quoted || value[0] < '0' || value[0] > '9' || bytes.ContainsAny(value, "xX_pPiInN ") {
			return false
		}
		number := &l.Msec
		if key == "request_time" {
			number = &l.RequestTime
		}
		*number, err = strconv.ParseFloat(string(value), 64)
	case "user_agent":
		l.UserAgent = new(s.known.String(value))
		return quoted
	case "upstream_header_time":
		l.HeaderTimes = new(s.known.String(value))
		return quoted
	case "upstream_addr":
		l.Addrs = new(s.known.String(value))
		return quoted
	case "request_id":
		l.ID = string(value)
		return quoted
	case "upstream_group":
		l.Group = s.known.String(value)
		return quoted
	case "upstream_status":
		l.Statuses = s.known.String(value)
		return quoted
	}
	return err == nil
}
