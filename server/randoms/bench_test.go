package randoms

import (
	"context"
	"math/rand/v2"
	"testing"
)

// BenchmarkDraw gives the cost of a number, and how many times dearer math/rand/v2's IntN is in the same run.
func BenchmarkDraw(b *testing.B) {
	d := NewDrawer()
	const n = 10_000_000
	for b.Loop() {
		if _, err := d.Draw(context.Background(), n); err != nil {
			b.Fatal(err)
		}
	}
	own := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / n
	plain := testing.Benchmark(func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 2))
		var counts [Max]uint64
		for range b.N {
			counts[r.IntN(Max)]++
		}
	})
	b.ReportMetric(own, "ns/number")
	b.ReportMetric(float64(plain.T.Nanoseconds())/float64(plain.N)/own, "IntN/draw")
}

func BenchmarkAppendJSON(b *testing.B) {
	counts := make(Counts, Max)
	newDrawer().draw(chunk, counts)
	buf := counts.AppendJSON(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf = counts.AppendJSON(buf[:0])
	}
}
