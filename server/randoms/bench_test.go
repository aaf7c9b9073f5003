package randoms

import (
	"context"
	"testing"
)

// BenchmarkSmallDraw is a whole small draw: numbers, counts and JSON.
func BenchmarkSmallDraw(b *testing.B) {
	l, body := NewLocal(1), make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.AppendJSON(context.Background(), body, 1000); err != nil {
			b.Fatal(err)
		}
	}
}
