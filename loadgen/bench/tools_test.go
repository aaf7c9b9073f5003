package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"balanceo/results/run"
	"balanceo/topology/cli"
)

// connections is how many each tool may have open.
const connections = 64

// figures are what one run of a tool came to.
type figures struct {
	rate      float64 // requests per second
	cpuPerHit float64 // microseconds of processor time of the tool's process
}

// tool is a load generator.
type tool struct {
	name    string
	highest func(addr string, d time.Duration) (figures, error)           // nil: it needs a pace
	paced   func(addr string, rate int, d time.Duration) (figures, error) // nil: it has no pace
}

// tools are those that are there, loadgen first.
func tools(b *testing.B) []tool {
	dir := build(b)
	bin := func(name string) string { return filepath.Join(dir, name) }
	out := []tool{{
		name: "loadgen",
		highest: func(addr string, d time.Duration) (figures, error) {
			return loadgen(bin("loadgen"), addr, 0, d)
		},
		paced: func(addr string, rate int, d time.Duration) (figures, error) {
			return loadgen(bin("loadgen"), addr, rate, d)
		},
	}}
	if binaries.vegeta != nil {
		fmt.Fprintf(os.Stderr, "the vegeta command is not measured: %v\n", binaries.vegeta)
	} else {
		out = append(out, tool{
			name: "vegeta",
			highest: func(addr string, d time.Duration) (figures, error) {
				return vegeta(bin("vegeta"), addr, 0, d)
			},
			paced: func(addr string, rate int, d time.Duration) (figures, error) {
				return vegeta(bin("vegeta"), addr, rate, d)
			},
		})
	}
	for _, other := range []struct {
		name string
		run  func(path, addr string, d time.Duration) (figures, error)
	}{{"hey", hey}, {"wrk", wrk}} {
		path, err := exec.LookPath(other.name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is not installed and not measured\n", other.name)
			continue
		}
		out = append(out, tool{name: other.name, highest: func(addr string, d time.Duration) (figures, error) {
			return other.run(path, addr, d)
		}})
	}
	if runtime.GOOS == "linux" {
		out = append(out, tool{name: "3 syscalls", paced: floor})
	}
	return out
}

// floor is the processor time of the system alone: for sleeping until a request is due, sending it, and sleeping until its
// answer is there.
func floor(addr string, rate int, d time.Duration) (figures, error) {
	o, err := execute("", "env", floorEnv+"="+fmt.Sprint(addr, " ", rate, " ", d), os.Args[0])
	if err != nil {
		return figures{}, err
	}
	hits, err := strconv.Atoi(o.stdout)
	return figures{float64(hits) / d.Seconds(), micros(o.cpu) / float64(hits)}, err
}

func loadgen(path, addr string, rate int, d time.Duration) (figures, error) {
	records, err := os.MkdirTemp("", "records")
	if err != nil {
		return figures{}, err
	}
	defer os.RemoveAll(records)
	args := []string{
		"-target", addr, "-scenario", "url", "-rate", strconv.Itoa(rate), "-duration", d.String(), "-warmup", "0s",
		"-quiet", "-json", "-out", records, "-nginx-conf", os.DevNull,
	}
	if rate == 0 {
		args = append(args, "-workers", strconv.Itoa(connections))
	}
	r, cpu, err := record(path, args...)
	if err != nil {
		return figures{}, err
	}
	if r.SuccessRatio < 1 {
		return figures{}, fmt.Errorf("loadgen: requests failed: %v", r.Errors)
	}
	return figures{r.ActualRate, micros(cpu) / float64(r.Requests)}, nil
}

// record runs loadgen with -json. A verdict is no failure: on a busy machine the generator may say of itself that it was late.
func record(path string, args ...string) (r run.Record, cpu time.Duration, err error) {
	o, err := execute("", path, args...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != cli.Verdict) {
		return r, 0, err
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		return r, 0, fmt.Errorf("loadgen's record: %w", err)
	}
	return r, o.cpu, nil
}

// vegeta's attack writes its results to a file, as its manual does; the report is another process.
func vegeta(path, addr string, rate int, d time.Duration) (figures, error) {
	file, err := os.CreateTemp("", "results")
	if err != nil {
		return figures{}, err
	}
	defer os.Remove(file.Name())
	_ = file.Close()
	o, err := execute("GET http://"+addr+"/\n", path, "attack", "-rate", strconv.Itoa(rate), "-duration", d.String(),
		"-max-workers", strconv.Itoa(connections), "-output", file.Name())
	if err != nil {
		return figures{}, err
	}
	text, err := execute("", path, "report", "-type", "json", file.Name())
	if err != nil {
		return figures{}, err
	}
	var report struct {
		Requests int64   `json:"requests"`
		Rate     float64 `json:"rate"`
		Success  float64 `json:"success"`
	}
	if err := json.Unmarshal([]byte(text.stdout), &report); err != nil {
		return figures{}, fmt.Errorf("vegeta's report: %w", err)
	}
	if report.Success < 1 {
		return figures{}, fmt.Errorf("vegeta: %v of the requests succeeded", report.Success)
	}
	return figures{report.Rate, micros(o.cpu) / float64(report.Requests)}, nil
}

func hey(path, addr string, d time.Duration) (figures, error) {
	o, err := execute("", path, "-z", d.String(), "-c", strconv.Itoa(connections), "http://"+addr+"/")
	return perSecond(o, err, d)
}

func wrk(path, addr string, d time.Duration) (figures, error) {
	seconds := strconv.Itoa(max(1, int(d.Seconds()))) + "s"
	o, err := execute("", path, "-t", "2", "-c", strconv.Itoa(connections), "-d", seconds, "http://"+addr+"/")
	return perSecond(o, err, d)
}

// perSecond reads what hey and wrk print.
func perSecond(o outcome, err error, d time.Duration) (figures, error) {
	if err != nil {
		return figures{}, err
	}
	match := regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`).FindStringSubmatch(o.stdout)
	if match == nil {
		return figures{}, fmt.Errorf("no rate in %q", strings.TrimSpace(o.stdout))
	}
	rate, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		return figures{}, err
	}
	return figures{rate, micros(o.cpu) / (rate * d.Seconds())}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
