package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"balanceo/results/run"
)

// BenchmarkMemoryGrowth tells how loadgen's largest resident memory grows with how long it runs and with how many
// different routes it asks for, at 2,000 requests a second; ratio is that to the first row of each table.
func BenchmarkMemoryGrowth(b *testing.B) {
	dir, addr := build(b), startServer(b)
	measure := func(seconds, routes int) float64 {
		targets := filepath.Join(b.TempDir(), "targets")
		var lines strings.Builder
		for i := range routes {
			fmt.Fprintf(&lines, "GET /%d\n", i)
		}
		if err := os.WriteFile(targets, []byte(lines.String()), 0o600); err != nil {
			b.Fatal(err)
		}
		out, err := exec.Command(filepath.Join(dir, "loadgen"), "-target", addr, "-rate", "2000", "-duration", fmt.Sprintf("%ds", seconds), "-warmup", "0s",
			"-targets", targets, "-quiet", "-json", "-out", b.TempDir(), "-nginx-conf", os.DevNull).Output()
		var record run.Record
		if ended := new(exec.ExitError); err != nil && (!errors.As(err, &ended) || ended.ExitCode() != 3) || json.Unmarshal(out, &record) != nil {
			b.Fatalf("loadgen: %v\n%s", err, out)
		}
		return float64(record.Generator.MaxRSS) / 1e6
	}
	table := func(name string, rows []int, of func(n int) float64) {
		first := 0.0
		for _, n := range rows {
			b.Run(fmt.Sprintf("%s=%d", name, n), func(b *testing.B) {
				var most float64
				for b.Loop() {
					most = max(most, of(n))
				}
				if first == 0 {
					first = most
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(most, "MB")
				b.ReportMetric(most/first, "ratio")
			})
		}
	}
	table("seconds", []int{2, 8, 32}, func(n int) float64 { return measure(n, 10) })
	table("routes", []int{10, 1000, 20_000}, func(n int) float64 { return measure(10, n) })
}
