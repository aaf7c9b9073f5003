package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
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

// BenchmarkStall shows what a stall of 2 s does to the reported p99 at 1,000 requests a second with 64
// workers: in loadgen's report and in that of the vegeta command. The true one is the stall less a hundredth
// of the duration, as so many requests came due before the slowest hundredth.
func BenchmarkStall(b *testing.B) {
	const stall = 2 * time.Second
	d := setting(b, "BENCH_STALL_TIME", 20*time.Second)
	dir := build(b)
	b.ReportMetric(0, "ns/op")
	for range b.N {
		addr := startServer(b, serverEnv+"="+stall.String(), stallAt+"=1000")
		o, err := execute("", filepath.Join(dir, "loadgen"), "-target", addr, "-rate", "1000", "-duration", d.String(), "-warmup", "0s",
			"-workers", strconv.Itoa(connections), "-scenario", "site", "-quiet", "-json", "-out", b.TempDir(), "-nginx-conf", os.DevNull)
		if err != nil {
			b.Fatal(err)
		}
		var r run.Record
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			b.Fatal(err)
		}
		truth := stall - d/100
		b.ReportMetric(truth.Seconds()*1e3, "true-p99-ms")
		b.ReportMetric(r.Latency.P99*1e3, "loadgen-p99-ms")
		text := fmt.Sprintf("\np99 through a stall of %v at 1000/s for %v with %d workers: true %v, loadgen %.2fs", stall, d, connections, truth, r.Latency.P99)
		if binaries.vegeta == nil {
			p99, err := vegetaP99(filepath.Join(dir, "vegeta"), startServer(b, serverEnv+"="+stall.String(), stallAt+"=1000"), d)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(p99*1e3, "vegeta-p99-ms")
			text += fmt.Sprintf(", vegeta %.4fs", p99)
		}
		fmt.Println(text)
	}
}

func vegetaP99(path, addr string, d time.Duration) (float64, error) {
	o, err := execute("GET http://"+addr+"/\n", path, "attack", "-rate", "1000", "-duration", d.String(),
		"-max-workers", strconv.Itoa(connections))
	if err != nil {
		return 0, err
	}
	text, err := execute(o.stdout, path, "report", "-type", "json")
	if err != nil {
		return 0, err
	}
	var report struct {
		Latencies struct {
			P99 time.Duration `json:"99th"`
		} `json:"latencies"`
	}
	if err := json.Unmarshal([]byte(text.stdout), &report); err != nil {
		return 0, fmt.Errorf("vegeta's report: %w", err)
	}
	return report.Latencies.P99.Seconds(), nil
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
