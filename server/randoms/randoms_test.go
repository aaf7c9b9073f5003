package randoms

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
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
	} {
		c := make(Counts, Max)
		for number, n := range tt.counts {
			c[number-1] = n
		}
		if got := string(c.AppendJSON(nil)); got != tt.want {
			t.Errorf("AppendJSON of %v:\n got %q\nwant %q", tt.counts, got, tt.want)
		}
	}
}

func TestDrawSumsUp(t *testing.T) {
	d := NewDrawer(1)
	for _, n := range []int64{1, 5, 6, 7, 50, 20_000, chunk, chunk + 1, 3*chunk + 4} {
		counts, err := d.Draw(context.Background(), n)
		if err != nil {
			t.Fatalf("Draw(%d): %v", n, err)
		}
		if got := counts.Sum(); got != uint64(n) {
			t.Errorf("Draw(%d).Sum() = %d", n, got)
		}
		var decoded map[string]uint64
		if err := json.Unmarshal(counts.AppendJSON(nil), &decoded); err != nil {
			t.Fatalf("Draw(%d) as JSON: %v", n, err)
		}
		for key := range decoded {
			if number, err := strconv.Atoi(key); err != nil || number < 1 || number > Max {
				t.Errorf("Draw(%d) counted %q, want numbers in 1..%d", n, key, Max)
			}
		}
	}
}

// TestEveryOutcomeOwnsEquallyManyWords looks at all words that lead to an outcome, for many outcomes.
func TestEveryOutcomeOwnsEquallyManyWords(t *testing.T) {
	const each = (1 << 64) / span
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := []uint64{0, 1, 999, 1000, span / 2, span - 1}
	for range 20_000 {
		outcomes = append(outcomes, r.Uint64N(span))
	}
	for _, outcome := range outcomes {
		first, end := wordsOf(outcome), wordsOf(outcome+1)
		owned := 0
		for word := first; word != end; word++ { // the end of the last outcome is 2^64, which is 0
			if got := outcomeOf(word); got != outcome {
				t.Fatalf("outcome of word %d = %d, want %d", word, got, outcome)
			}
			if accepted(word) {
				owned++
			}
		}
		if owned != each {
			t.Fatalf("outcome %d owns %d accepted words, want %d", outcome, owned, each)
		}
	}
}

// wordsOf is the smallest word of an outcome: ceil(outcome × 2^64 / span).
func wordsOf(outcome uint64) uint64 {
	v := new(big.Int).Lsh(new(big.Int).SetUint64(outcome), 64)
	v.Add(v, big.NewInt(span-1))
	v.Div(v, big.NewInt(span))
	return v.And(v, new(big.Int).SetUint64(1<<64-1)).Uint64()
}

// outcomeOf reads the numbers of a word as the digits of one number.
func outcomeOf(word uint64) (outcome uint64) {
	for range perWord {
		var number uint64
		number, word = digit(word)
		outcome = outcome*Max + number
	}
	return outcome
}

// TestDrawUsesEveryDigit compares the unrolled loop with the plain one.
func TestDrawUsesEveryDigit(t *testing.T) {
	d := &drawer{source: newSource(1, 2, 3)}
	plain := newSource(1, 2, 3)
	got, want := make(Counts, Max), make(Counts, Max)
	d.draw(chunk, got)
	for drawn := 0; drawn < chunk; {
		word := plain.next()
		if !accepted(word) {
			continue
		}
		for range perWord {
			var number uint64
			number, word = digit(word)
			want[number]++
			drawn++
		}
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("draw counted %d %d times, want %d", i+1, got[i], want[i])
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
		d := &drawer{source: newSource(seed, 2, 3)}
		counts := make(Counts, Max)
		for range 10 {
			d.draw(chunk, counts)
		}
		// Both tails: counts that fit too well are no chance either. The seeds are fixed, so this can't
		// fail by luck.
		if p := chiSquared(counts); p < 0.001 || p > 0.999 {
			t.Errorf("seed %d: p = %v for a uniform distribution", seed, p)
		}
	}
}

// TestNumbersOfAWordAreIndependent counts pairs of digits in one word, coarsely.
func TestNumbersOfAWordAreIndependent(t *testing.T) {
	const cells = 20
	src := newSource(3, 8, 9)
	var pairs [perWord - 1][cells * cells]uint64
	for range 1_000_000 {
		word := src.next()
		if !accepted(word) {
			continue
		}
		before, word := digit(word)
		for i := range pairs {
			var number uint64
			number, word = digit(word)
			pairs[i][before*cells/Max*cells+number*cells/Max]++
			before = number
		}
	}
	for i := range pairs {
		if p := chiSquared(pairs[i][:]); p < 0.001 || p > 0.999 {
			t.Errorf("digits %d and %d: p = %v for independence", i, i+1, p)
		}
	}
}

func TestGateBoundsWhatWaits(t *testing.T) {
	g := newGate(1)
	release, err := g.enter(context.Background(), backlogPerLane-10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.enter(context.Background(), 11); !errors.Is(err, ErrBusy) {
		t.Errorf("enter beyond the backlog: %v, want ErrBusy", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := g.enter(ctx, 5); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting to draw") {
		t.Errorf("enter with a cancelled context: %v, want context.Canceled", err)
	}
	release()
	release, err = g.enter(context.Background(), 2*backlogPerLane)
	if err != nil {
		t.Errorf("enter alone with more than the backlog: %v", err)
	} else {
		release()
	}
	if n, w := g.numbers.Load(), g.waiting.Load(); n != 0 || w != 0 {
		t.Errorf("afterwards %d numbers and %d waiting, want 0 and 0", n, w)
	}
}

func TestDrawGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewDrawer(1).Draw(ctx, 10*chunk); !errors.Is(err, context.Canceled) {
		t.Errorf("Draw = %v, want context.Canceled", err)
	}
}

func TestDrawAllocatesLittle(t *testing.T) {
	d := NewDrawer(1)
	got := testing.AllocsPerRun(100, func() { _, _ = d.Draw(context.Background(), 1000) })
	if got > 4 {
		t.Errorf("a draw of 1000 allocates %v times, want at most 4", got)
	}
}
