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

// pairs are the numbers 00 to 99.
const pairs = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849" +
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// AppendJSON appends the counts as a JSON object from number to count, in ascending order, without the numbers
// that were not drawn, indented by two spaces as JSON.stringify does it.
func (c *Counts) AppendJSON(b []byte) []byte {
	begin := len(b)
	for i, n := range c[:Max] {
		if n == 0 {
			continue
		}
		if cap(b)-len(b) < entryMost {
			b = slices.Grow(b, entryMost*(Max-i+1)/2)
		}
		at := len(b)
		k := &keys[i]
		*(*[keyRoom]byte)(b[at : at+keyRoom]) = k.text
		b = appendCount(b[:at+k.len], n)
	}
	if len(b) == begin {
		return append(b, "{}"...)
	}
	b[begin] = '{' // in place of the first comma
	return append(b, "\n}"...)
}

// appendCount appends n; up to four digits, as most have, without strconv.
func appendCount(b []byte, n uint64) []byte {
	switch {
	case n < 10:
		return append(b, '0'+byte(n))
	case n < 100:
		return append(b, pairs[2*n], pairs[2*n+1])
	case n < 1000:
		low := n % 100
		return append(b, '0'+byte(n/100), pairs[2*low], pairs[2*low+1])
	case n < 10000:
		high, low := n/100, n%100
		return append(b, pairs[2*high], pairs[2*high+1], pairs[2*low], pairs[2*low+1])
	}
	return strconv.AppendUint(b, n, 10)
}
