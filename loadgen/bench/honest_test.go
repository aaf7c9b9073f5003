package bench

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// BenchmarkPacing tells how evenly 200 requests a second are sent: the standard deviation of the time
// between them, and the rate.
func BenchmarkPacing(b *testing.B) {
	const rate = 200
	d := setting(b, "BENCH_TIME", 3*time.Second)
	target, err := attack.ParseTarget(startServer(b))
	if err != nil {
		b.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as loadgen does at this rate
	b.ReportMetric(0, "ns/op")
	for range b.N {
		var sent times200
		_, err := attack.Run(context.Background(), attack.Config{
			Target: target, Requests: []attack.Request{attack.Get("/")}, At: func(uint64) int { return 0 },
			Schedule: pace.NewSchedule(pace.Constant(rate), 0, d), Workers: connections, Timeout: time.Second,
			UserAgent: "bench", Sink: func() attack.Sink { return &sent },
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(sent.deviation()*1e6, "interval-sd-µs")
		b.ReportMetric(float64(len(sent))/d.Seconds(), "hits/s")
	}
}

// times200 collects when requests were sent.
type times200 []time.Duration

func (t *times200) Add(h *tally.Hit) { *t = append(*t, h.Sent) }

// deviation is the standard deviation of the intervals, in seconds.
func (t times200) deviation() float64 {
	var sum, squares float64
	for i := 1; i < len(t); i++ {
		interval := (t[i] - t[i-1]).Seconds()
		sum += interval
		squares += interval * interval
	}
	n := float64(len(t) - 1)
	return math.Sqrt(max(0, squares/n-sum/n*sum/n))
}

// BenchmarkMemory tells by how much loadgen's resident memory grows from a tenth of a run at 2,000 requests
// a second to its end.
func BenchmarkMemory(b *testing.B) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		b.Skipf("resident memory is read from /proc: %v", err)
	}
	d := setting(b, "BENCH_MEMORY_TIME", 20*time.Second)
	dir := build(b)
	b.ReportMetric(0, "ns/op")
	for range b.N {
		cmd := exec.Command(filepath.Join(dir, "loadgen"), "-target", startServer(b), "-rate", "2000", "-duration", d.String(), "-warmup", "0s",
			"-scenario", "site", "-quiet", "-json", "-out", b.TempDir(), "-nginx-conf", os.DevNull)
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		resident := func() float64 {
			p, err := fs.Proc(cmd.Process.Pid)
			if err != nil {
				b.Fatal(err)
			}
			stat, err := p.Stat()
			if err != nil {
				b.Fatal(err)
			}
			return float64(stat.ResidentMemory()) / 1e6
		}
		time.Sleep(d / 10)
		early := resident()
		time.Sleep(d - d/10 - 500*time.Millisecond)
		late := resident()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(early, "early-MB")
		b.ReportMetric(late, "late-MB")
		b.ReportMetric(late-early, "growth-MB")
	}
}
