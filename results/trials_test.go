//go:build trials

package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/topology/ports"
)

var campaigns = flag.Int("campaigns", 20, "how many of each kind")

var series = flag.String("series", "", "file to write the runs' figures to, as compare/testdata/series.csv")

const (
	power     = 0.99 // with which a difference of a fifth is to be found
	mostPairs = 16
)

// TestTrials measures real servers, 0.3 s a run, some ten minutes in all. The machine may have other work to do: that is
// noise, and more pairs are planned. What the generator's own lag adds is taken for noise, too.
//
//	go test -tags trials -run TestTrials -timeout 30m ./results -series compare/testdata/series.csv
//
// A layout is compared with itself, in campaigns cut from one series of runs, and with one whose servers take 60 ms for
// an answer where its own take 50. The number of pairs is planned from the noise of the first runs.
func TestTrials(t *testing.T) {
	bench := newBench(t)
	same, slower := bench.up("same", 23100, "50ms"), bench.up("slower", 23200, "60ms")
	var one, two, slow []*run.Record
	measure := func(rounds int) {
		for len(one) < rounds {
			// The order of the three changes from round to round, so that none is always first.
			first := len(one)
			for k := range 3 {
				switch (k + first) % 3 {
				case 0:
					one = append(one, bench.run(same))
				case 1:
					slow = append(slow, bench.run(slower))
				case 2:
					two = append(two, bench.run(same))
				}
			}
		}
	}
	measure(16)
	pairs := planned(one, two)
	t.Logf("planned: %d pairs a campaign find a fifth with a probability of %g", pairs, power)
	measure(*campaigns * pairs)
	if *series != "" {
		write(t, *series, one, two)
	}
	alarms, found := 0, 0
	for c := range *campaigns {
		from, to := c*pairs, (c+1)*pairs
		for _, row := range table(t, one[from:to], two[from:to]) {
			if row.Significant {
				alarms++
				t.Logf("campaign %d: the same differs in %s by %s (%s)", c, row.Key, row.ChangeText(), row.Range())
				break
			}
		}
		for _, row := range table(t, one[from:to], slow[from:to]) {
			if row.Key == "p50" && row.Result == compare.Different && row.Better == "one" {
				found++
			}
		}
	}
	t.Logf("%d of %d campaigns of the same show a difference; %d of %d find 20 %% slower", alarms, *campaigns, found, *campaigns)
	if alarms > 3 || found < 19 {
		t.Errorf("%d of %d campaigns of the same show a difference, want 3 at most; %d find 20 %% slower, want 19 at least", alarms, *campaigns, found)
	}
}

// planned is the number of pairs for a fifth of p50, from the noise of pairs of the same.
func planned(one, two []*run.Record) int {
	d := make([]float64, len(one))
	for k := range d {
		d[k] = math.Log(two[k].Latency.P50 / one[k].Latency.P50)
	}
	const tests = 3 // p50, p99, CPU
	return min(mostPairs, compare.Needed(stat.StdDev(d, nil), math.Log(1.2), 0.05/tests, power))
}

func table(t *testing.T, one, other []*run.Record) []compare.Row {
	t.Helper()
	tables, err := compare.Compare([]compare.Set{{Name: "one", Runs: one}, {Name: "other", Runs: other}}, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tables[0].Rows
}

// write keeps what a comparison looks at, in the order of time.
func write(t *testing.T, path string, one, two []*run.Record) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(f)
	row := func(r *run.Record) {
		text := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
		_ = w.Write([]string{text(r.Latency.P50), text(r.Latency.P99), text(r.Servers.CPUPerRequest)})
	}
	for k := range one {
		if two[k].Started.Before(one[k].Started) {
			row(two[k])
			row(one[k])
			continue
		}
		row(one[k])
		row(two[k])
	}
	w.Flush()
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// bench is the commands, built, in a folder of their own.
type bench struct {
	*testing.T
	dir string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t, t.TempDir()}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(b.dir, "bin")+"/", "./server", "./topology", "./loadgen")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	conf, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, "nginx.conf"), conf, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) command(name string, args ...string) {
	b.Helper()
	cmd := exec.Command(filepath.Join(b.dir, "bin", name), args...)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !(name == "loadgen" && asExit(err, &exit) && exit.ExitCode() == 3) {
		b.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func asExit(err error, to **exec.ExitError) bool {
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // of Cmd.Run, which wraps nothing
	*to = exit
	return ok
}

// up starts a layout whose servers take so long for an answer, and returns its address.
func (b *bench) up(name string, ports int, delay string) string {
	b.Helper()
	text := "name: " + name + "\ninstances:\n"
	for i, instance := range []string{"site1", "site2", "serverA", "serverB", "serverC", "serverD"} {
		text += fmt.Sprintf("  - {name: %s, port: %d, mode: FORK, args: [\"--test-delay\", %q]}\n", instance, 8080+i, delay)
	}
	if err := os.WriteFile(filepath.Join(b.dir, name+".yaml"), []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	port := freePort(b.T)
	b.command("topology", "up", "-d", "--layout", name+".yaml", "--http-port", strconv.Itoa(port), "--base-port", strconv.Itoa(ports), "--free-ports")
	b.Cleanup(func() { b.command("topology", "down", "--http-port", strconv.Itoa(port)) })
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// run loads one and returns the record; one that is of no use is repeated.
func (b *bench) run(target string) *run.Record {
	b.Helper()
	for range 20 {
		out := filepath.Join(b.dir, "runs", strconv.FormatInt(time.Now().UnixNano(), 36))
		b.command("loadgen", "-target", target, "-scenario", "site", "-rate", "1000", "-duration", "300ms", "-warmup", "100ms", "-out", out, "-quiet")
		runs, _, err := run.List(out)
		if err != nil || len(runs) != 1 {
			b.Fatalf("%d records of one run, %v", len(runs), err)
		}
		runs[0].Generator.Lag = run.Lag{}
		if why := runs[0].WhyUseless(); why == "" {
			return runs[0]
		} else {
			b.Logf("run %s: %s; once more", runs[0].ID, why)
		}
	}
	b.Fatal("no run of twenty can be used")
	return nil
}
