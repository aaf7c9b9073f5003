package tally

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNumbers compares the set with a map.
func TestNumbers(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	var sets [3]Numbers
	var maps [3]map[uint64]bool
	for i := range sets {
		maps[i] = map[uint64]bool{}
		for range 300 * (i + 1) {
			n := draw.Uint64N(500 * uint64(i+1))
			if fresh := sets[i].Add(n); fresh == maps[i][n] {
				t.Fatalf("Add(%d) = %v, but it was there: %v", n, fresh, maps[i][n])
			}
			maps[i][n] = true
		}
	}
	var want []uint64
	for n := range maps[2] {
		if !maps[0][n] && !maps[1][n] {
			want = append(want, n)
		}
	}
	slices.Sort(want)
	n, some := sets[2].Without(10, &sets[0], &sets[1])
	if n != int64(len(want)) || !slices.Equal(some, want[:10]) {
		t.Errorf("Without = %d %v, want %d %v", n, some, len(want), want[:10])
	}
	sets[0].Merge(&sets[2])
	for n := range uint64(1600) {
		if got, want := sets[0].Has(n), maps[0][n] || maps[2][n]; got != want {
			t.Errorf("Has(%d) = %v, want %v", n, got, want)
		}
		if maps[0][n] {
			maps[2][n] = true
		}
	}
	if got := sets[0].Count(); got != int64(len(maps[2])) {
		t.Errorf("Count = %d, want %d", got, len(maps[2]))
	}
}
