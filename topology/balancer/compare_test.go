//go:build e2e

package balancer_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/balancer"
	"balanceo/topology/balancer/known"
)

var (
	bin   = flag.String("bin", "../../bin", "where the commands lie")
	kept  = flag.String("kept", "", "folder of the records; what is there is not measured again")
	table = flag.String("table", "", "file for the table")
)

// experiments are the runs behind each balancer, in the order of the table. Each is told by loadgen's flags, and by what is
// done to the layout while it lasts.
var experiments = []struct {
	name, flags, meanwhile string
}{
	{"fast", "-rate 0 -workers 64 -scenario site -duration 5s", ""},
	{"even", "-rate 300 -workers 8 -duration 5s", ""},
	{"reload", "-rate 300 -duration 6s", "sleep 3; topology reload BALANCER"},
	{"kill", "-rate 300 -duration 10s", "sleep 3; topology kill serverB --for 3s"},
	{"wrong", "-rate 300 -duration 3s -nginx-conf WRONG", ""},
	{"slow round_robin", "-rate 200 -scenario randoms -duration 6s", "topology slow serverB 100ms"},
	{"slow least_conn", "-rate 200 -scenario randoms -duration 6s", "topology balance node_app_api least_conn"},
	{"slow random two", "-rate 200 -scenario randoms -duration 6s", "topology balance node_app_api 'random two'"},
}

// TestCompareBalancers measures each balancer in front of the same layout and writes the table. What has been measured is
// kept, so that it can be done in pieces.
func TestCompareBalancers(t *testing.T) {
	dir := cmp.Or(*kept, t.TempDir())
	var rows []row
	for _, b := range known.Balancers() {
		r := row{name: b.Name(), records: map[string]*run.Record{}}
		for _, program := range b.Programs() {
			if path, err := exec.LookPath(program); err == nil {
				r.program = path
				break
			}
		}
		r.version = balancer.Version(t.Context(), b, r.program)
		measure(t, dir, &r)
		rows = append(rows, r)
	}
	text := lines(rows)
	t.Log("\n" + text)
	if *table == "" {
		return
	}
	if err := os.WriteFile(*table, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type row struct {
	name, program, version string
	records                map[string]*run.Record
}

// measure fills the row, running what its folder does not have.
func measure(t *testing.T, dir string, r *row) {
	t.Helper()
	script := []string{"set -u"}
	for _, e := range experiments {
		if r.read(dir, e.name) == nil {
			continue
		}
		script = append(script, r.script(t, dir, e.name, e.flags, e.meanwhile))
	}
	if len(script) > 1 {
		commands, err := filepath.Abs(*bin)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(commands, "topology"), "run", "--free-ports", "--layout", "fork", "--balancer", r.name,
			"--run-dir", t.TempDir(), "--", "sh", "-c", strings.Join(script, "\n"))
		cmd.Env = append(os.Environ(), "PATH="+commands+":"+os.Getenv("PATH"))
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("%s: %v\n%s", r.name, err, out)
		}
	}
	for _, e := range experiments {
		if err := r.read(dir, e.name); err != nil {
			t.Errorf("%s, %s: %v", r.name, e.name, err)
		}
	}
}

func (r *row) file(dir, name string) string {
	dir, _ = filepath.Abs(dir)
	return filepath.Join(dir, r.name+"-"+strings.ReplaceAll(name, " ", "-")+".json")
}

// script is one run, and what is done meanwhile.
func (r *row) script(t *testing.T, dir, name, flags, meanwhile string) string {
	t.Helper()
	wrong := filepath.Join(t.TempDir(), "wrong.conf")
	source, err := os.ReadFile("../../nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(source), "weight=2", "weight=9", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	flags = strings.ReplaceAll(flags, "WRONG", wrong)
	load := fmt.Sprintf(`loadgen -target "$BALANCEO_TARGET" %s -warmup 1s -out %s -label '%s %s' -json -quiet >%s.part; mv %[5]s.part %[5]s`,
		flags, t.TempDir(), r.name, name, r.file(dir, name))
	if meanwhile == "" {
		return load
	}
	do := strings.ReplaceAll(strings.ReplaceAll(meanwhile, "BALANCER", r.name), "topology ", `topology --run-dir "$BALANCEO_RUN" `)
	if strings.HasPrefix(meanwhile, "sleep") {
		return "(" + do + ") & " + load + "; wait"
	}
	return do + "; " + load
}

func (r *row) read(dir, name string) error {
	text, err := os.ReadFile(r.file(dir, name))
	if err != nil {
		return err
	}
	var record run.Record
	if err := json.Unmarshal(text, &record); err != nil {
		return err
	}
	if record.Requests == 0 {
		return errors.New("no request")
	}
	r.records[name] = &record
	return nil
}

// version is what the program says of itself.
// lines is the table.
func lines(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Balancers in front of one layout\n\n%s\n", about(rows))
	head := []string{"", "answers/s", "p50, p99 at 300/s", "CPU a request", "memory", "off by at most", "lost at a reload", "lost at kill -9", "9:1 told as 2:1"}
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range rows {
		fast, even := r.records["fast"], r.records["even"]
		cells := []string{r.name + " " + r.version, "–", "–", "–", "–", "–", r.lost("reload"), r.lost("kill"), r.verdict("wrong")}
		if fast != nil {
			cells[1] = fmt.Sprintf("%.0f", fast.Throughput)
		}
		if even != nil {
			cells[2] = fmt.Sprintf("%v, %v", short(even.Latency.P50), short(even.Latency.P99))
			if even.Servers != nil {
				cells[3] = short(even.Servers.NginxCPU / float64(even.Requests)).String()
				cells[4] = units.Format(float64(even.Servers.BalancerRSS), units.Bytes)
			}
			var off []string
			for _, g := range even.Groups {
				off = append(off, fmt.Sprintf("%.2f of %.2f", g.WorstDeviation, g.Bound))
			}
			cells[5] = strings.Join(off, ", ")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	methods := []string{"slow round_robin", "slow least_conn", "slow random two"}
	fmt.Fprintf(&b, "\n| one of four servers 100 ms slower | %s |\n|---|---|---|---|\n", strings.Join(methods, " | "))
	for _, r := range rows {
		cells := []string{r.name}
		for _, m := range methods {
			cells = append(cells, r.slowed(m))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// about says what was measured, where and when.
func about(rows []row) string {
	where := ""
	for _, r := range rows {
		for _, record := range r.records {
			where = fmt.Sprintf("%s, %d cores of %s, %s", record.Started.Format("2 January 2006"), record.Env.Cores, record.Env.CPU, record.Env.OS)
		}
	}
	return "Written by `make compare-balancers`, " + where + `. The layout fork behind each, configured by its package in
topology/balancer: connections to the servers are kept, one process (nginx: one per core), one state for all threads. As fast as it
goes: the site's routes over 64 connections. Off by: the largest difference of a server from its share, and what is promised, for
the groups node_app (2:1) and node_app_api (four alike). Lost: requests over kept connections without a good answer while the balancer was reloaded, and
while a server was killed (-9) and came back 3 s later. 9:1 told as 2:1: the verdict where the configuration that loadgen is given is
not the one that runs; it has to be fail.
`
}

func short(seconds float64) time.Duration {
	d := time.Duration(seconds * 1e9)
	if d > time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

func (r *row) lost(name string) string {
	record := r.records[name]
	if record == nil {
		return "–"
	}
	n, _ := record.Failed()
	return fmt.Sprintf("%d of %d", n, record.Requests)
}

func (r *row) verdict(name string) string {
	record := r.records[name]
	if record == nil {
		return "–"
	}
	i := slices.IndexFunc(record.Groups, func(g run.Group) bool { return g.Name == "node_app" })
	if i < 0 {
		return "–"
	}
	return string(record.Groups[i].Verdict)
}

// slowed is p50 and p99 of a run with a slow server, and the share that this one got.
func (r *row) slowed(name string) string {
	record := r.records[name]
	if record == nil {
		return "–"
	}
	share := "–"
	for _, g := range record.Groups {
		for _, u := range g.Upstreams {
			if u.Instance == "serverB" {
				share = fmt.Sprintf("%.0f %%", 100*u.Share)
			}
		}
	}
	return fmt.Sprintf("%v, %v, it got %s", short(record.Latency.P50), short(record.Latency.P99), share)
}
