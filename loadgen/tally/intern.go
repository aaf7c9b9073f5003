package tally

// Interner turns the bytes of a header into a string that is allocated once for each different value, so
// that a hit costs no allocation. It remembers a bounded number of values; others are allocated each time.
// It belongs to one goroutine. The zero value is empty.
type Interner struct{ known map[string]string }

// String returns b as a string.
func (in *Interner) String(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := in.known[string(b)]; ok { // does not allocate
		return s
	}
	s := string(b)
	if in.known == nil {
		in.known = map[string]string{}
	}
	if len(in.known) < maxAnswers {
		in.known[s] = s
	}
	return s
}
