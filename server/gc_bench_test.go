package main

import (
	"slices"
	"testing"

	"github.com/prometheus/procfs"
)

// BenchmarkGC sets a server whose garbage collection is set in another way beside one as it is: memory and throughput.
// ratio is that of answers a second, in turns; MB is what is resident after them, as-is-MB that of the other.
func BenchmarkGC(b *testing.B) {
	start := func(env ...string) *proc {
		cmd := command(b)
		cmd.Env = append(cmd.Env, env...)
		return startOn(b, listen(b), cmd)
	}
	for _, c := range []struct {
		name string
		env  []string
	}{
		{"as-is", nil},
		{"GOGC=50", []string{"GOGC=50"}},
		{"GOGC=200", []string{"GOGC=200"}},
		{"GOGC=400", []string{"GOGC=400"}},
		{"GOGC=off,GOMEMLIMIT=24MiB", []string{"GOGC=off", "GOMEMLIMIT=24MiB"}},
		{"GOGC=off,GOMEMLIMIT=48MiB", []string{"GOGC=off", "GOMEMLIMIT=48MiB"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			as, other := start(), start(c.env...)
			var ratios []float64
			for b.Loop() {
				for range 5 {
					for _, path := range []string{"/info", "/api/randoms?cant=1000"} {
						was, _ := asker{as.addr, path, 32, 5000}.ask(b)
						is, _ := asker{other.addr, path, 32, 5000}.ask(b)
						ratios = append(ratios, is/was)
					}
				}
			}
			slices.Sort(ratios)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(resident(b, as), "as-is-MB")
			b.ReportMetric(resident(b, other), "MB")
		})
	}
}

// resident is the memory of a server, in millions of bytes.
func resident(b *testing.B, p *proc) float64 {
	b.Helper()
	process, err := procfs.NewProc(p.cmd.Process.Pid)
	if err != nil {
		b.Fatal(err)
	}
	stat, err := process.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return float64(stat.ResidentMemory()) / 1e6
}
