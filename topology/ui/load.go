package ui

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"balanceo/results/run"
	"balanceo/topology/layout"
	"balanceo/topology/ports"
	"balanceo/topology/supervise"
)

// Bounds of the load that a page may ask for.
const (
	maxRate    = 20_000
	maxMinutes = 60
)

// scenarios are those of loadgen that a page offers.
func scenarios() []string { return []string{"mix", "site", "randoms", "session", "ws"} }

// Load is what loadgen is to send through the balancer.
type Load struct {
	Rate     int    `json:"rate"`     // requests per second
	Scenario string `json:"scenario"` // one of loadgen's
	Pace     string `json:"pace"`     // in loadgen's words
	Minutes  int    `json:"minutes"`
}

// check completes l and says what is wrong with it.
func (l *Load) check() error {
	l.Scenario = cmp.Or(l.Scenario, scenarios()[0])
	l.Pace = cmp.Or(l.Pace, "constant")
	l.Minutes = cmp.Or(l.Minutes, 10)
	switch {
	case l.Rate < 1 || l.Rate > maxRate:
		return fmt.Errorf("rate %d: accepted are 1 to %d", l.Rate, maxRate)
	case !slices.Contains(scenarios(), l.Scenario):
		return fmt.Errorf("scenario %q: accepted are %s", l.Scenario, strings.Join(scenarios(), ", "))
	case l.Minutes < 1 || l.Minutes > maxMinutes:
		return fmt.Errorf("%d minutes: accepted are 1 to %d", l.Minutes, maxMinutes)
	case len(l.Pace) > 200 || strings.HasPrefix(l.Pace, "-"):
		return fmt.Errorf("pace %.20q: accepted is what loadgen -pace takes", l.Pace)
	}
	return nil
}

// args are those of loadgen, but for where it writes.
func (l *Load) args(port int) []string {
	args := []string{"-target", ":" + strconv.Itoa(port), "-rate", strconv.Itoa(l.Rate), "-scenario", l.Scenario, "-duration", strconv.Itoa(l.Minutes) + "m"}
	if l.Pace != "constant" {
		args = append(args, "-pace", l.Pace)
	}
	return args
}

// LoadState is how the load is.
type LoadState struct {
	Load
	Possible bool   `json:"possible"` // loadgen is there
	Running  bool   `json:"running"`
	Command  string `json:"command,omitempty"`
	Until    int64  `json:"until,omitempty"` // Unix milliseconds
	Answered int64  `json:"answered"`        // as the client counts, of the load that runs
	Failed   int64  `json:"failed"`
	Said     string `json:"said,omitempty"` // why the last one ended, where that was no success
	Last     *last  `json:"last,omitempty"` // what the last one has found

	// Elsewhere are the loads that are not the page's, by the ids of their runs.
	Elsewhere []string `json:"elsewhere,omitempty"`
}

// last is what a load that has ended says of itself: the answers of its measured part, as each has counted them.
type last struct {
	Client      int64   `json:"client"`
	Nginx       *int64  `json:"nginx"` // null: not known
	Servers     *int64  `json:"servers"`
	Unexplained int64   `json:"unexplained"`
	P99         float64 `json:"p99_s"`
}

// loader runs one loadgen at a time.
type loader struct {
	path, runDir, out string
	port              int
	told              func(text, by, run string) // run is the id of a load that begins, empty where one ends

	turn sync.Mutex // held while a load is started or stopped

	mu    sync.Mutex // of what follows
	state LoadState
	prom  string // address of its metrics
	stop  func() // nil: none runs
	ended chan struct{}
}

var errNoLoadgen = errors.New("loadgen is not beside topology nor on the PATH, so this page sends no load")

// start ends the load that runs and begins another.
func (l *loader) start(load Load, by string) error {
	if l.path == "" {
		return errNoLoadgen
	}
	if err := load.check(); err != nil {
		return err
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	l.halt()
	free, err := ports.FreeAside("127.0.0.1")
	if err != nil {
		return err
	}
	args := load.args(l.port)
	id := run.NewID(time.Now())
	l.told("loadgen "+strings.Join(args, " "), by, id) // before its first request
	prom := net.JoinHostPort("127.0.0.1", strconv.Itoa(free))
	cmd := exec.Command(l.path, append(slices.Clone(args), "-prom", prom, "-quiet", "-json", "-warmup", "0s", "-label", "live page", "-out", filepath.Join(l.out, "load"))...) //nolint:noctx // ended by halt
	cmd.Env = append(os.Environ(), layout.EnvRun+"="+l.runDir, layout.EnvRunID+"="+id)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	started, ended := make(chan error, 1), make(chan struct{})
	l.mu.Lock()
	l.state = LoadState{
		Load: load, Running: true, Command: "loadgen " + strings.Join(args, " "),
		Until: time.Now().Add(time.Duration(load.Minutes) * time.Minute).UnixMilli(), Last: l.state.Last,
	}
	l.prom, l.ended = prom, ended
	l.mu.Unlock()
	go func() {
		defer close(ended)
		err := supervise.RunWithParent(cmd, started)
		l.finish(&out, said.String(), err)
	}()
	if err := <-started; err != nil {
		<-ended
		return fmt.Errorf("loadgen: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = func() { _ = cmd.Process.Signal(os.Interrupt) } // it may have ended
	return nil
}

// end ends the load that runs.
func (l *loader) end(by string) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.halt() {
		l.told("load ends", by, "")
	}
}

func (l *loader) close() {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.halt()
}

// halt returns when no load runs any more.
func (l *loader) halt() (ran bool) {
	l.mu.Lock()
	stop, ended := l.stop, l.ended
	ran = l.state.Running
	l.stop = nil
	l.mu.Unlock()
	if stop == nil {
		return false
	}
	for {
		stop() // the second one ends it without a report
		select {
		case <-ended:
			return ran
		case <-time.After(4 * time.Second):
		}
	}
}

// finish reads what a load that has ended says.
func (l *loader) finish(out *bytes.Buffer, said string, err error) {
	var record run.Record
	decoded := json.Unmarshal(out.Bytes(), &record) == nil
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Running, l.state.Until = false, 0
	if decoded {
		l.state.Last = lastOf(&record)
		return
	}
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
		l.state.Said = strings.TrimSpace(line)
	}
}

func lastOf(r *run.Record) *last {
	c := r.Reconciliation
	out := &last{Client: c.Client, Nginx: c.Nginx, Servers: c.Servers, Unexplained: c.Unexplained}
	if r.Responses > 0 {
		out.P99 = r.Latency.P99
	}
	return out
}

func (l *loader) status() LoadState {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	s.Possible = l.path != ""
	return s
}

// ask reads how many answers the client that runs has had.
func (l *loader) ask(ctx context.Context) (answered float64, ok bool) {
	l.mu.Lock()
	prom, running := l.prom, l.state.Running
	l.mu.Unlock()
	if !running {
		return 0, false
	}
	answered, failed, err := scrapeLoad(ctx, "http://"+prom+"/metrics")
	if err != nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.prom != prom {
		return 0, false
	}
	l.state.Answered, l.state.Failed = int64(answered), int64(failed)
	return answered, true
}

// scrapeLoad adds up loadgen's metrics: requests that were answered, and requests that failed.
func scrapeLoad(ctx context.Context, url string) (answered, failed float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, 0, err
	}
	for _, m := range families["loadgen_requests_total"].GetMetric() {
		n, labels := m.GetCounter().GetValue(), map[string]string{}
		for _, label := range m.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if labels["status"] != "0" {
			answered += n
		}
		if labels["error"] != "" || labels["status"] >= "400" {
			failed += n
		}
	}
	return answered, failed, nil
}
