package sample

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"
)

// large is a draw whose numbers alone count.
const large = 1_200_000

// BenchmarkDraw gives the cost of a number in draws of different sizes, and how many times dearer are, in the
// same run and in turns with it: math/rand/v2's IntN, and the batched multiplications of Brackett-Rozinsky and
// Lemire ("Batched ranged random integer generation", 2025).
func BenchmarkDraw(b *testing.B) {
	for _, n := range []int{1000, 10_000, large} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			s := New()
			var tables [perWord][cells]uint32
			var own, intN, batched time.Duration
			turns := 0
			for b.Loop() {
				repeat := max(1, large/n)
				own += timed(repeat, func() { s.Draw(n) })
				intN += timed(repeat, func() { plainIntN(n) })
				batched += timed(repeat, func() { s.batched(n, &tables) })
				turns += repeat
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(own.Nanoseconds())/float64(turns)/float64(n), "ns/number")
			b.ReportMetric(float64(intN)/float64(own), "IntN/draw")
			b.ReportMetric(float64(batched)/float64(own), "batched/draw")
		})
	}
}

func timed(repeat int, f func()) time.Duration {
	began := time.Now()
	for range repeat {
		f()
	}
	return time.Since(began)
}

var drawn [Max]uint64 //nolint:gochecknoglobals // keeps the compiler from leaving the draws out

func plainIntN(n int) {
	for range n {
		drawn[rand.IntN(Max)]++
	}
}

// batched draws six numbers a word by successive 128-bit multiplication, with rejection.
func (s *Sampler) batched(n int, t *[perWord][cells]uint32) {
	const span = 1_000_000_000_000_000_000
	for words := n / perWord; words > 0; {
		word := s.source.next()
		if word*span < (1<<64)%span {
			continue
		}
		words--
		var number uint64
		for i := range t {
			number, word = bits.Mul64(word, Max)
			t[i][number%cells]++
		}
	}
	*t = [perWord][cells]uint32{}
}

// BenchmarkAppendJSON gives the cost of the JSON of the counts beside that of a copy of as many bytes.
func BenchmarkAppendJSON(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			draws := make([]*Sampler, 100) // different ones: a processor learns a single one by heart
			for i := range draws {
				draws[i] = New()
				draws[i].Draw(n)
			}
			body := draws[0].Counts.AppendJSON(nil)
			copied := make([]byte, len(body))
			b.ReportAllocs()
			var own, plain time.Duration
			for b.Loop() {
				own += timed(1, func() {
					for _, s := range draws {
						body = s.Counts.AppendJSON(body[:0])
					}
				})
				plain += timed(len(draws), func() { copy(copied, body) })
			}
			b.ReportMetric(float64(own.Nanoseconds())/float64(b.N)/100, "ns/json")
			b.ReportMetric(float64(own)/float64(plain), "json/copy")
		})
	}
}
