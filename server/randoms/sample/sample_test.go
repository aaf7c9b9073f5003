package sample

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestAppendJSON(t *testing.T) {
	for _, tt := range []struct {
		counts map[int]uint64
		want   string
	}{
		{nil, "{}"},
		{map[int]uint64{1: 3}, "{\n  \"1\": 3\n}"},
		{map[int]uint64{1000: 1, 2: 20, 10: 5}, "{\n  \"2\": 20,\n  \"10\": 5,\n  \"1000\": 1\n}"},
		{
			map[int]uint64{3: 9, 4: 10, 5: 99, 6: 100, 7: 999, 8: 1000, 9: 9999, 10: 10000, 1001: 7, 100: math.MaxUint64},
			"{\n  \"3\": 9,\n  \"4\": 10,\n  \"5\": 99,\n  \"6\": 100,\n  \"7\": 999,\n  \"8\": 1000,\n  \"9\": 9999,\n  \"10\": 10000,\n  \"100\": 18446744073709551615\n}",
		},
	} {
		var c Counts
		for number, n := range tt.counts {
			c[number-1] = n
		}
		for _, room := range []int{0, 1, 40, 100000} {
			if got := string(c.AppendJSON(append(make([]byte, 0, room), 'x'))); got != "x"+tt.want {
				t.Errorf("AppendJSON of %v with room for %d:\n got %q\nwant %q", tt.counts, room, got, tt.want)
			}
		}
	}
	var c Counts
	want := map[string]uint64{}
	for i := range Max {
		c[i] = uint64(i) * uint64(i) * 7
		if i > 0 {
			want[strconv.Itoa(i+1)] = c[i]
		}
	}
	expected, err := json.MarshalIndent(want, "", "  ") // sorts keys as text: only the length is comparable
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]uint64
	if text := c.AppendJSON(nil); json.Unmarshal(text, &got) != nil || len(text) != len(expected) || len(got) != len(want) {
		t.Errorf("AppendJSON of all numbers: %d bytes, %d numbers; want %d, %d", len(text), len(got), len(expected), len(want))
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("AppendJSON: %s is %d, want %d", k, got[k], n)
		}
	}
}

// TestDrawUsesEveryPiece compares the unrolled loop with the plain one, draw by draw.
func TestDrawUsesEveryPiece(t *testing.T) {
	for _, n := range []int{1, 6, 1000, 20_005, 1_200_000} {
		s := &Sampler{source: newSource(1, 2, 3)}
		plain := newSource(1, 2, 3)
		s.Draw(n)
		var want Counts
		for left := n; left > 0; {
			accepted := 0
			for batch := left; batch > 0; {
				word := plain.next()
				for range min(perWord, batch) {
					if want[word%cells]++; word%cells < Max {
						accepted++
					}
					word >>= bitsEach
					batch--
				}
			}
			left -= accepted
		}
		sum := uint64(0)
		for _, c := range s.Counts[:Max] {
			sum += c
		}
		if s.Counts != want || sum != uint64(n) {
			t.Errorf("%d numbers: the counts are not those of the plain loop, or sum up to %d", n, sum)
		}
	}
}

// chiSquared is the p-value of counts being uniform.
func chiSquared(counts []uint64) float64 {
	sum := 0.0
	for _, c := range counts {
		sum += float64(c)
	}
	want, x := sum/float64(len(counts)), 0.0
	for _, c := range counts {
		x += (float64(c) - want) * (float64(c) - want) / want
	}
	return distuv.ChiSquared{K: float64(len(counts) - 1)}.Survival(x)
}

func TestUniform(t *testing.T) {
	for seed := range uint64(5) {
		for _, n := range []int{1000, 20_000, 1_200_000} {
			s := &Sampler{source: newSource(seed, 2, 3)}
			for range 10_000_000 / n {
				s.Draw(n)
			}
			// Both tails: counts that fit too well are no chance either. The seeds are fixed, so this can't
			// fail by luck.
			if p := chiSquared(s.Counts[:Max]); p < 0.001 || p > 0.999 {
				t.Errorf("seed %d, %d at a time: p = %v for a uniform distribution", seed, n, p)
			}
		}
	}
}

// TestNumbersOfAWordAreIndependent counts pairs of neighbours in one word, coarsely.
func TestNumbersOfAWordAreIndependent(t *testing.T) {
	const coarse = 16
	src := newSource(3, 8, 9)
	var pairs [perWord - 1][coarse * coarse]uint64
	for range 1_000_000 {
		word := src.next()
		for i := range pairs {
			next := word >> bitsEach
			pairs[i][word%cells/(cells/coarse)*coarse+next%cells/(cells/coarse)]++
			word = next
		}
	}
	for i := range pairs {
		if p := chiSquared(pairs[i][:]); p < 0.001 || p > 0.999 {
			t.Errorf("pieces %d and %d: p = %v for independence", i, i+1, p)
		}
	}
}
