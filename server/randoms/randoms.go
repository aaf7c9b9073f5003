// Package randoms draws integers uniform on 1..Max and counts how often each came.
//
// A draw costs well under a nanosecond a number: one 64-bit word of a PCG gives six numbers by successive
// 128-bit multiplications, and each of the six is counted in a table of its own, so that increments of the
// same number do not wait for each other. A Drawer bounds how many draws go on at once and lets the rest
// wait, in this process or, with Processes, in a child process for each.
package randoms

import (
	"math/bits"
	"math/rand/v2"
	"strconv"
)

// Max is the largest number drawn; the smallest is 1.
const Max = 1000

// Counts tells how often each number was drawn: Counts[i] is for i+1. Its length is Max.
type Counts []uint64

// AppendJSON appends the counts as a JSON object from number to count, in ascending order, without the
// numbers that were not drawn, indented by two spaces as JSON.stringify does it.
func (c Counts) AppendJSON(b []byte) []byte {
	if b == nil {
		b = make([]byte, 0, 3+len(c)*len("  \"1000\": 1000000,\n"))
	}
	b = append(b, '{')
	first := true
	for i, n := range c {
		if n == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, "\n  \""...)
		b = strconv.AppendInt(b, int64(i)+1, 10)
		b = append(b, "\": "...)
		b = strconv.AppendUint(b, n, 10)
	}
	if !first {
		b = append(b, '\n')
	}
	return append(b, '}')
}

// Sum is how many numbers were drawn in all.
func (c Counts) Sum() (sum uint64) {
	for _, n := range c {
		sum += n
	}
	return sum
}

// perWord is how many numbers one 64-bit word gives: the most for which Max^perWord still fits in.
const perWord = 6

// span is Max^perWord, the number of outcomes of one word.
const span = 1_000_000_000_000_000_000

// reject is 2^64 mod span. Of the 2^64 words, as many lead to a remainder below it as would make some
// outcomes one word likelier than others; they are drawn again.
const reject = (1 << 64) % span

// table counts the numbers of one position in the word. Its length is a power of two, so that the compiler
// needs no bounds check.
type table [1024]uint32

// batch turns a word into six numbers in 0..Max-1 and the remainder that decides on rejection. The numbers
// are exactly uniform over the words whose remainder is at least reject.
//
// Source: Brackett-Rozinsky and Lemire, "Batched ranged random integer generation", Software: Practice and
// Experience 55(1), 2025, algorithm 3.
func batch(word uint64) (a, b, c, d, e, f, rest uint64) {
	a, rest = bits.Mul64(word, Max)
	b, rest = bits.Mul64(rest, Max)
	c, rest = bits.Mul64(rest, Max)
	d, rest = bits.Mul64(rest, Max)
	e, rest = bits.Mul64(rest, Max)
	f, rest = bits.Mul64(rest, Max)
	return a, b, c, d, e, f, rest
}

// chunk is how many numbers are drawn before others get their turn, about a quarter of a millisecond. It is
// a multiple of perWord, and far below what the uint32 of a table can count.
const chunk = perWord * 50_000

// drawer holds the tables of one draw; it is used again for the next one.
type drawer struct {
	tables [perWord]table
	source *rand.PCG
}

func newDrawer() *drawer { return &drawer{source: rand.NewPCG(rand.Uint64(), rand.Uint64())} }

// draw adds n numbers, at most chunk, to counts.
func (d *drawer) draw(n int, counts Counts) {
	t := &d.tables
	for range n / perWord {
		i, j, k, l, m, o, rest := batch(d.source.Uint64())
		for rest < reject {
			i, j, k, l, m, o, rest = batch(d.source.Uint64())
		}
		t[0][i%1024]++
		t[1][j%1024]++
		t[2][k%1024]++
		t[3][l%1024]++
		t[4][m%1024]++
		t[5][o%1024]++
	}
	if left := n % perWord; left > 0 {
		w := [perWord]uint64{}
		rest := uint64(0)
		for rest < reject {
			w[0], w[1], w[2], w[3], w[4], w[5], rest = batch(d.source.Uint64())
		}
		for i := range left {
			t[i][w[i]%1024]++
		}
	}
	for i := range t {
		for j := range counts {
			counts[j] += uint64(t[i][j])
		}
		t[i] = table{}
	}
}
