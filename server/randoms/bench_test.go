package randoms

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkDraw gives the cost of a number, and how many times dearer math/rand/v2's IntN is in the same run.
func BenchmarkDraw(b *testing.B) {
	d := NewDrawer(1)
	const n = 10_000_000
	for b.Loop() {
		if _, err := d.Draw(context.Background(), n); err != nil {
			b.Fatal(err)
		}
	}
	own := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / n
	b.ReportMetric(own, "ns/number")
	b.ReportMetric(plainIntN(n)/own, "IntN/draw")
}

// plainIntN is the cost of a number, in nanoseconds, drawn and counted in the obvious way.
func plainIntN(n int) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	var counts [Max]uint64
	start := time.Now()
	for range n {
		counts[r.IntN(Max)]++
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
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
