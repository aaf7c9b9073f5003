package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// known is a distribution of latencies that a server has by design.
type known struct {
	draw func() time.Duration
	at   func(q float64) time.Duration // its quantile
}

// distributions are those of the table, by name.
func distributions() map[string]known {
	const mean = 10 * time.Millisecond
	return map[string]known{
		"constant 10 ms": {func() time.Duration { return mean }, func(float64) time.Duration { return mean }},
		"exponential, mean 10 ms": {
			func() time.Duration { return time.Duration(rand.ExpFloat64() * float64(mean)) },
			func(q float64) time.Duration { return time.Duration(-math.Log(1-q) * float64(mean)) },
		},
		"2 ms, one in ten 100 ms": {
			func() time.Duration {
				if rand.IntN(10) == 0 {
					return 100 * time.Millisecond
				}
				return 2 * time.Millisecond
			},
			func(q float64) time.Duration {
				if q > 0.9 {
					return 100 * time.Millisecond
				}
				return 2 * time.Millisecond
			},
		},
	}
}

// percentiles are p50, p99, p99.9 and the greatest; 0: the tool does not tell.
type percentiles [4]time.Duration

// teller is a tool that is asked what it saw of a load.
type teller struct {
	name string
	ask  func(addr string, rate, connections int, d time.Duration) (percentiles, error)
}

// BenchmarkTruth sets what each tool reports beside what is so: the quantiles of the server's own distribution, and for
// a stall those of somebody who comes at any time and does not care how many connections are free.
func BenchmarkTruth(b *testing.B) {
	all := tellers(b)
	d := setting(b, "BENCH_TIME", 5*time.Second)
	stalled := setting(b, "BENCH_STALL_TIME", 20*time.Second)
	b.ReportMetric(0, "ns/op")
	var table strings.Builder
	fmt.Fprintf(&table, "\n| server | tool | p50 | p99 | p99.9 | max |\n|---|---|---|---|---|---|\n")
	row := func(server, tool string, p percentiles) {
		fmt.Fprintf(&table, "| %s | %s |", server, tool)
		for _, v := range p {
			if v == 0 {
				table.WriteString(" – |")
			} else {
				fmt.Fprintf(&table, " %s |", v.Round(max(time.Microsecond*10, v/1000*10)).String())
			}
		}
		table.WriteString("\n")
	}
	measure := func(server, addr string, rate, connections int, d time.Duration) {
		for _, t := range all {
			p, err := t.ask(addr, rate, connections, d)
			if err != nil {
				b.Fatalf("%s: %v", t.name, err)
			}
			row(server, t.name, p)
		}
	}
	for _, name := range []string{"constant 10 ms", "exponential, mean 10 ms", "2 ms, one in ten 100 ms"} {
		at := distributions()[name].at
		server := name + "; 500/s, 64 connections"
		row(server, "**true**", percentiles{at(0.5), at(0.99), at(0.999)})
		measure(server, startServer(b, delayEnv+"="+name), 500, 64, d)
	}
	const stall, rate = 3 * time.Second, 2000
	server := "a stall of 3 s; 2,000/s, 32 connections"
	after := func(q float64) time.Duration { return stall - time.Duration((1-q)*float64(stalled)) }
	row(server, "**true**", percentiles{0, after(0.99), after(0.999), stall})
	for _, t := range all { // a new server for each, as it stalls once
		addr := startServer(b, serverEnv+"="+stall.String(), stallAt+"="+strconv.Itoa(5*rate))
		p, err := t.ask(addr, rate, 32, stalled)
		if err != nil {
			b.Fatalf("%s: %v", t.name, err)
		}
		row(server, t.name, p)
	}
	fmt.Println(table.String())
}

func tellers(b *testing.B) []teller {
	dir := build(b)
	own := func(engine string) func(string, int, int, time.Duration) (percentiles, error) {
		return func(addr string, rate, connections int, d time.Duration) (percentiles, error) {
			r, _, err := record(filepath.Join(dir, "loadgen"), "-target", addr, "-rate", strconv.Itoa(rate), "-duration", d.String(),
				"-warmup", "0s", "-workers", strconv.Itoa(connections), "-scenario", "url", "-engine", engine, "-quiet", "-json",
				"-out", b.TempDir(), "-nginx-conf", os.DevNull)
			if err != nil {
				return percentiles{}, err
			}
			return percentiles{seconds(r.Latency.P50), seconds(r.Latency.P99), seconds(r.Latency.P999), seconds(r.Latency.Max)}, nil
		}
	}
	out := []teller{{"loadgen -engine fast", own("fast")}, {"loadgen -engine vegeta", own("vegeta")}}
	if binaries.vegeta == nil {
		out = append(out, teller{"vegeta", func(addr string, rate, connections int, d time.Duration) (percentiles, error) {
			return askVegeta(filepath.Join(dir, "vegeta"), addr, rate, connections, d)
		}})
	}
	for _, other := range []struct {
		name string
		ask  func(path, addr string, rate, connections int, d time.Duration) (percentiles, error)
	}{{"hey", askHey}, {"wrk", askWrk}} {
		if path, err := exec.LookPath(other.name); err == nil {
			out = append(out, teller{other.name, func(addr string, rate, connections int, d time.Duration) (percentiles, error) {
				return other.ask(path, addr, rate, connections, d)
			}})
		}
	}
	return out
}

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

func askVegeta(path, addr string, rate, connections int, d time.Duration) (p percentiles, err error) {
	o, err := execute("GET http://"+addr+"/\n", path, "attack", "-rate", strconv.Itoa(rate), "-duration", d.String(),
		"-workers", strconv.Itoa(connections), "-max-workers", strconv.Itoa(connections))
	if err != nil {
		return p, err
	}
	text, err := execute(o.stdout, path, "report", "-type", "json")
	if err != nil {
		return p, err
	}
	var report struct {
		Latencies struct {
			P50 time.Duration `json:"50th"`
			P99 time.Duration `json:"99th"`
			Max time.Duration `json:"max"`
		} `json:"latencies"`
	}
	if err := json.Unmarshal([]byte(text.stdout), &report); err != nil {
		return p, fmt.Errorf("vegeta's report: %w", err)
	}
	return percentiles{report.Latencies.P50, report.Latencies.P99, 0, report.Latencies.Max}, nil
}

// askWrk has no rate to give: wrk sends as fast as it goes.
func askWrk(path, addr string, _, connections int, d time.Duration) (p percentiles, err error) {
	o, err := execute("", path, "-t", "2", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(int(d.Seconds()))+"s", "--latency", "http://"+addr+"/")
	if err != nil {
		return p, err
	}
	for i, pattern := range []string{`(?m)^\s+50%\s+(\S+)`, `(?m)^\s+99%\s+(\S+)`, "", `Latency\s+\S+\s+\S+\s+(\S+)`} {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(o.stdout); pattern != "" && m != nil {
			p[i], _ = time.ParseDuration(m[1])
		}
	}
	return p, nil
}

func askHey(path, addr string, rate, connections int, d time.Duration) (p percentiles, err error) {
	o, err := execute("", path, "-z", d.String(), "-c", strconv.Itoa(connections), "-q", fmt.Sprint(float64(rate)/float64(connections)), "http://"+addr+"/")
	if err != nil {
		return p, err
	}
	for i, pattern := range []string{`50%+ in (\S+) secs`, `99%+ in (\S+) secs`, "", `Slowest:\s+(\S+) secs`} {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(o.stdout); pattern != "" && m != nil {
			p[i], _ = time.ParseDuration(m[1] + "s")
		}
	}
	return p, nil
}
