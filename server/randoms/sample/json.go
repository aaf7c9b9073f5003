package sample

import (
	"slices"
	"strconv"
)

// keyRoom is the room of one encoded key; entryMost is the longest entry: a key and the largest count.
const (
	keyRoom   = 16
	entryMost = keyRoom + len("18446744073709551615")
)

// key is what stands before a count, as `,\n  "17": `, in a room of fixed length, which is copied faster.
type key struct {
	text [keyRoom]byte
	len  int
}

var keys = func() (all [Max]key) { //nolint:gochecknoglobals // a table that never changes
	for i := range all {
		all[i].len = copy(all[i].text[:], ",\n  \""+strconv.Itoa(i+1)+"\": ")
	}
	return all
}()

// pairs are the two digits of the numbers 00 to 99, the first one in the lower byte.
var pairs = func() (all [100]uint32) { //nolint:gochecknoglobals // a table that never changes
	for i := range all {
		all[i] = uint32('0'+i/10) | uint32('0'+i%10)<<8
	}
	return all
}()

// AppendJSON appends the counts as a JSON object from number to count, in ascending order, without the numbers
// that were not drawn, indented by two spaces as JSON.stringify does it.
func (c *Counts) AppendJSON(b []byte) []byte {
	begin := len(b)
	at := begin
	b = b[:cap(b)]
	for i, n := range c[:Max] {
		if len(b)-at < entryMost {
			b = slices.Grow(b[:at], entryMost*(Max-i+1)/2)
			b = b[:cap(b)]
		}
		k := &keys[i]
		*(*[keyRoom]byte)(b[at : at+keyRoom]) = k.text
		end := at + k.len
		switch {
		case n < 10:
			// In a small draw nobody can guess whether a number came: written in any case, and written over if not.
			b[end] = '0' + byte(n)
			at += (k.len + 1) * int((n|-n)>>63)
		case n < 10_000:
			// Nor how many digits it gave in a larger one: all four are written, less the leading noughts.
			digits := pairs[n/100] | pairs[n%100]<<16
			noughts := (n-100)>>63 + (n-1000)>>63
			digits >>= 8 * noughts
			four := (*[4]byte)(b[end : end+4])
			four[0], four[1], four[2], four[3] = byte(digits), byte(digits>>8), byte(digits>>16), byte(digits>>24)
			at = end + 4 - int(noughts)
		default:
			at = len(strconv.AppendUint(b[:end], n, 10))
		}
	}
	if at == begin {
		return append(b[:begin], "{}"...)
	}
	b[begin] = '{' // in place of the first comma
	return append(b[:at], "\n}"...)
}
