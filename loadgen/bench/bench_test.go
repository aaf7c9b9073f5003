package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// setting reads a duration from the environment.
func setting(b *testing.B, name string, otherwise time.Duration) time.Duration {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return d
}

func rounds(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(os.Getenv("BENCH_ROUNDS"))
	if err != nil || n < 1 {
		return 3
	}
	return n
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	if len(x) == 0 {
		return 0
	}
	return (x[len(x)/2] + x[(len(x)-1)/2]) / 2
}

// pacedRate is where processor time is compared.
const pacedRate = 5000

// BenchmarkTools prints the highest rate of each tool, and the processor time of each hit there and at
// pacedRate: each round in benchstat's format, and a table of medians.
func BenchmarkTools(b *testing.B) {
	all := tools(b)
	addr := startServer(b)
	d := setting(b, "BENCH_TIME", 3*time.Second)
	highest, paced := map[string][]figures{}, map[string][]figures{}
	note := func(in map[string][]figures, t tool, f figures, err error) {
		if err != nil {
			b.Fatal(err)
		}
		in[t.name] = append(in[t.name], f)
	}
	for range rounds(b) {
		for _, t := range all {
			if t.highest != nil {
				f, err := t.highest(addr, d)
				note(highest, t, f, err)
			}
		}
		for _, t := range all {
			if t.paced != nil {
				f, err := t.paced(addr, pacedRate, d)
				note(paced, t, f, err)
			}
		}
	}
	fmt.Println() // go test has written the name of this benchmark already
	for _, t := range all {
		for _, f := range highest[t.name] {
			sample("highest", t.name, f)
		}
		for _, f := range paced[t.name] {
			sample(fmt.Sprintf("at=%d", pacedRate), t.name, f)
		}
	}
	rate := func(f figures) float64 { return f.rate }
	cpu := func(f figures) float64 { return f.cpuPerHit }
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-10s %12s %12s %14s %12s\n", "tool", "highest/s", "loadgen is", fmt.Sprintf("µs/hit at %d", pacedRate), "loadgen is")
	for _, t := range all {
		fmt.Fprintf(&table, "%-10s %12s %12s %14s %12s\n", t.name,
			or(len(highest[t.name]) > 0, fmt.Sprintf("%.0f", median(pick(highest[t.name], rate)))),
			or(len(highest[t.name]) > 0, times(median(ratios(highest["loadgen"], highest[t.name], rate)))),
			or(len(paced[t.name]) > 0, fmt.Sprintf("%.1f", median(pick(paced[t.name], cpu)))),
			or(len(paced[t.name]) > 0, times(median(ratios(paced["loadgen"], paced[t.name], cpu)))))
	}
	fmt.Println(table.String())
}

// sample writes one round's figures as benchstat reads them: a line for each, so that it can tell noise from
// difference.
func sample(load, tool string, f figures) {
	fmt.Printf("BenchmarkTools/%s/tool=%s-%d\t1\t%.0f hits/s\t%.2f cpu-µs/hit\n", load, tool, runtime.GOMAXPROCS(0), f.rate, f.cpuPerHit)
}

func pick(f []figures, of func(figures) float64) []float64 {
	out := make([]float64, len(f))
	for i := range f {
		out[i] = of(f[i])
	}
	return out
}

// ratios are taken within each round.
func ratios(a, b []figures, of func(figures) float64) []float64 {
	var out []float64
	for i := range min(len(a), len(b)) {
		out = append(out, of(a[i])/of(b[i]))
	}
	return out
}

func times(x float64) string { return fmt.Sprintf("%.2f ×", x) }

func or(have bool, text string) string {
	if have {
		return text
	}
	return "–"
}
