package export

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

func runs() []*run.Record {
	var out []*run.Record
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for i := range 12 {
		spec := runtest.Spec{Started: at.Add(time.Duration(i) * time.Minute), Layout: "fork", Label: "a, \"quoted\" label"}
		if i%2 == 1 {
			spec.Layout, spec.Slower = "cluster", 1.2
		}
		out = append(out, runtest.Record(spec))
	}
	return append(out, runtest.Record(runtest.Spec{Layout: "fork", Capacity: 9000}))
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := CSV(&b, runs()); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 14 {
		t.Fatalf("%d lines, want a heading and 13 runs", len(lines))
	}
	for i, name := range lines[0] {
		switch name {
		case "layout":
			if got := lines[1][i]; got != "fork" {
				t.Errorf("layout of the first run = %q, want fork", got)
			}
		case "label":
			if got := lines[1][i]; got != "a, \"quoted\" label" {
				t.Errorf("label = %q", got)
			}
		case "capacity_per_s":
			if lines[1][i] != "" || lines[13][i] == "" {
				t.Errorf("capacity of a run at one rate = %q, of a search = %q; want none and a number", lines[1][i], lines[13][i])
			}
		}
	}
}

func TestHGRM(t *testing.T) {
	all := runs()
	var b bytes.Buffer
	if err := HGRM(&b, all[:2]); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{" Value\tPercentile\tTotalCount\t1/(1-Percentile)\n", "#[Mean", "Total count    =         6000]"} {
		if !strings.Contains(text, want) {
			t.Errorf("HGRM = %s\nwant %q in it", text, want)
		}
	}
	old := *all[0]
	old.Latency.HDR = ""
	if err := HGRM(&b, []*run.Record{&old}); !errors.Is(err, run.ErrNoHistogram) {
		t.Errorf("HGRM without a histogram = %v, want ErrNoHistogram", err)
	}
}

func TestPrometheus(t *testing.T) {
	var b bytes.Buffer
	if err := Prometheus(&b, runs()); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&b)
	if err != nil {
		t.Fatalf("what was written can't be read: %v", err)
	}
	for name, want := range map[string]int{
		"balanceo_run_latency_seconds": 13 * 4, "balanceo_run_cpu_seconds": 13, "balanceo_run_capacity_per_second": 1, "balanceo_run_upstream_requests": 13 * 6,
	} {
		if got := len(families[name].GetMetric()); got != want {
			t.Errorf("%s has %d samples, want %d", name, got, want)
		}
	}
}

// TestBenchstat runs the real benchstat on what Benchmark writes.
func TestBenchstat(t *testing.T) {
	dir := t.TempDir()
	benchstat := filepath.Join(dir, "benchstat")
	if out, err := exec.Command("go", "build", "-o", benchstat, "golang.org/x/perf/cmd/benchstat").CombinedOutput(); err != nil {
		t.Fatalf("build benchstat: %v\n%s", err, out)
	}
	var b bytes.Buffer
	if err := Benchmark(&b, runs()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "runs.txt")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(benchstat, "-col", "/layout", file).CombinedOutput()
	if err != nil {
		t.Fatalf("benchstat: %v\n%s", err, out)
	}
	text := string(out)
	for _, want := range []string{"fork", "cluster", "vs base", "p50-sec", "cpu-sec", "p=0.002 n=6", "throughput/s", "memory-B"} {
		if !strings.Contains(text, want) {
			t.Errorf("benchstat -col /layout says\n%s\nwant %q in it", text, want)
		}
	}
	for _, complaint := range []string{"missing", "syntax", "warning"} {
		if strings.Contains(text, complaint) {
			t.Errorf("benchstat complains (%q):\n%s", complaint, text)
		}
	}
}
