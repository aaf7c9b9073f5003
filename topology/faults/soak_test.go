//go:build e2e

package faults

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	page "balanceo/results/faults"
	"balanceo/results/run"
	"balanceo/topology/fleet"
	"balanceo/topology/status"
)

var soakFor = flag.Duration("for", time.Minute, "how long the long run is")

// What a figure may differ by without having grown: a heap between two collections, idle connections.
const (
	slackMB          = 12
	slackDescriptors = 128 // the idle connections that nginx may keep to a server's processes, and these to the database
	slackGoroutines  = 32
)

const soakIntro = "Printed and kept here by `make soak DURATION=%v`: the layout `seed` under three loads at once through nginx (%s). " +
	"Each figure is the median of the second and of the last eighth of the time; it has grown where it is more than a fifth and some slack higher.\n\n"

// soaked are the figures of one part.
type soaked struct{ memory, descriptors, goroutines series }

// TestSoak loads a layout for long, and wants nothing to grow and nothing to get lost.
func TestSoak(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.up()
	loads := [][]string{
		{"-scenario", "mix", "-rate", "200"},
		{"-scenario", "session", "-rate", "40", "-users", "20"},
		{"-scenario", "ws", "-rate", "5", "-clients", "50"},
	}
	records := make([]*run.Record, len(loads))
	var loading sync.WaitGroup
	for i, args := range loads {
		loading.Go(func() { records[i] = r.record(args) })
	}
	done := make(chan struct{})
	go func() {
		loading.Wait()
		close(done)
	}()
	parts := r.sample(done, max(*soakFor/400, time.Second))
	text := r.soakTable(parts) + "\n" + r.loadTable(loads, records)
	size, files := r.logSize()
	text += fmt.Sprintf("\nLogs: %.1f MB in %d files.\n", size/1e6, files)
	text = verdict(t) + text
	t.Logf("\n%s", text)
	if *table == "" {
		return
	}
	if err := page.Put(*table, "Long run", fmt.Sprintf(soakIntro, *soakFor, page.Machine())+text); err != nil {
		t.Error(err)
	}
}

// record runs one load and returns what came of it.
func (r *rig) record(args []string) *run.Record {
	cmd := r.command("loadgen", append([]string{"-target", ":" + strconv.Itoa(r.http), "-duration", soakFor.String(), "-json", "-quiet", "-out", r.path("runs")}, args...)...)
	out, err := cmd.Output() // a verdict that fails is judged below
	var record run.Record
	if jsonErr := json.Unmarshal(out, &record); jsonErr != nil {
		r.Errorf("loadgen %v: %v, %v", args, err, jsonErr)
		return nil
	}
	return &record
}

// sample looks at every part until done is closed.
func (r *rig) sample(done <-chan struct{}, every time.Duration) map[string]*soaked {
	r.Helper()
	parts := map[string]*soaked{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return parts
		case <-tick.C:
		}
		snapshot := r.status()
		for _, p := range append(snapshot.Parts, status.Part{Name: "topology", PID: snapshot.PID}) {
			s := parts[p.Name]
			if s == nil {
				s = &soaked{}
				parts[p.Name] = s
			}
			pids := append([]int{p.PID}, p.Workers...)
			s.memory = append(s.memory, memory(p)/1e6)
			s.descriptors = append(s.descriptors, descriptors(pids))
			if p.Kind == fleet.Instance {
				s.goroutines = append(s.goroutines, goroutines(p.Port))
			}
		}
	}
}

func memory(p status.Part) float64 {
	if p.RSS != nil {
		return float64(*p.RSS)
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}

func descriptors(pids []int) float64 {
	n := 0
	for _, pid := range pids {
		open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)) // it may have ended
		n += len(open)
	}
	return float64(n)
}

// goroutines are those of the process of an instance that answers.
func goroutines(port int) float64 {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	m := regexp.MustCompile(`(?m)^balanceo_goroutines (\d+)$`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	return n
}

func (r *rig) soakTable(parts map[string]*soaked) string {
	r.Helper()
	var b strings.Builder
	b.WriteString("| part | memory, MB | descriptors | goroutines of one process |\n|---|---|---|---|\n")
	for _, p := range append(r.status().Parts, status.Part{Name: "topology"}) {
		s := parts[p.Name]
		if s == nil {
			r.Errorf("%s was never looked at: the run is too short", p.Name)
			continue
		}
		if p.Restarts > 0 {
			r.Errorf("%s was started again: %s", p.Name, p.Reason)
		}
		cell := func(what string, s series, slack float64) string {
			if len(s) == 0 {
				return "–"
			}
			early, late := s.ends()
			if s.grows(slack) {
				r.Errorf("%s: %s grow from %.1f to %.1f", p.Name, what, early, late)
				return fmt.Sprintf("**%.0f → %.0f**", early, late)
			}
			return fmt.Sprintf("%.0f → %.0f", early, late)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.Name, cell("megabytes", s.memory, slackMB),
			cell("descriptors", s.descriptors, slackDescriptors), cell("goroutines", s.goroutines, slackGoroutines))
	}
	return b.String()
}

func (r *rig) loadTable(loads [][]string, records []*run.Record) string {
	r.Helper()
	var b strings.Builder
	b.WriteString("| load | requests | failed | unexplained | p99 |\n|---|---:|---:|---:|---:|\n")
	for i, record := range records {
		if record == nil {
			continue
		}
		failed := int64(0)
		for _, e := range record.Errors {
			failed += e.Count
		}
		unexplained := "–"
		if record.Reconciliation.Nginx != nil {
			unexplained = strconv.FormatInt(record.Reconciliation.Unexplained, 10)
		}
		if record.Reconciliation.Unexplained != 0 {
			r.Errorf("%v: %s requests are unexplained: %v", loads[i], unexplained, record.Warnings)
		}
		if failed > 0 {
			r.Errorf("%v: %d requests failed: %v\n%s", loads[i], failed, record.Errors, strings.Join(r.refused(5), "\n"))
		}
		fmt.Fprintf(&b, "| `loadgen %s` | %d | %d | %s | %.1f ms |\n", strings.Join(loads[i], " "), record.Requests, failed, unexplained, 1e3*record.Latency.P99)
	}
	return b.String()
}

// refused are the last lines of nginx's access log, n at most, of requests that were answered with 500 or more.
func (r *rig) refused(n int) []string {
	text, _ := os.ReadFile(r.path(fmt.Sprintf("run/%d/nginx/access.log", r.http))) // without it there is nothing to show
	lines := regexp.MustCompile(`(?m)^.*"status":5\d\d.*$`).FindAllString(string(text), -1)
	return lines[max(0, len(lines)-n):]
}

func (r *rig) logSize() (bytes float64, files int) {
	for _, pattern := range []string{"run/*/logs/*", "run/*/nginx/*.log*"} {
		found, _ := filepath.Glob(r.path(pattern)) // the pattern is a good one
		for _, f := range found {
			if info, err := os.Stat(f); err == nil {
				bytes += float64(info.Size())
				files++
			}
		}
	}
	return bytes, files
}
