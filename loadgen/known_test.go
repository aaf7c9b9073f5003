package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"balanceo/results/run"
)

// measured runs loadgen as a process of its own against a server and returns its record. The function during, which
// may be nil, is called while it runs.
func measured(t *testing.T, handler http.HandlerFunc, during func(pid int), args ...string) (run.Record, string) {
	t.Helper()
	srv := httptest.NewServer(handler)
	defer srv.Close()
	cmd := exec.Command("loadgen", append([]string{"-json", "-quiet", "-target", srv.URL, "-out", t.TempDir(), "-nginx-conf", os.DevNull}, args...)...)
	cmd.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if during != nil {
		during(cmd.Process.Pid)
	}
	_ = cmd.Wait() // its exit code is another test's subject
	var r run.Record
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("loadgen %q: %v\n%s%s", args, err, stdout.String(), stderr.String())
	}
	return r, strings.Join(r.Warnings, "\n") + stderr.String()
}

// TestOwnPause freezes the generator for a second. The server answered at once all the time, and the record must not
// say otherwise.
func TestOwnPause(t *testing.T) {
	var n atomic.Int64
	for _, engine := range []string{"fast", "vegeta"} {
		n.Store(0)
		r, warnings := measured(t, func(http.ResponseWriter, *http.Request) { n.Add(1) }, func(pid int) {
			for limit := time.Now().Add(time.Minute); n.Load() < 200 && time.Now().Before(limit); {
				time.Sleep(5 * time.Millisecond)
			}
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			// The signal is for one thread of it, and the others go on until that one has a processor.
			var status syscall.WaitStatus
			if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
				t.Errorf("the generator does not stand still: %v, %v", status, err)
			}
			time.Sleep(time.Second)
			if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
				t.Error(err)
			}
		}, "-rate", "200", "-duration", "4s", "-warmup", "0s", "-scenario", "site", "-engine", engine)
		t.Logf("%s: p99 %v, without the lag %v, lag %+v", engine, r.Latency.P99, r.Generator.WithoutLag.P99, r.Generator.Lag)
		// How much less it is without the lag depends on how busy this machine is; package attack tests what is whose.
		if r.Valid() || r.Latency.P99 < 0.7 || r.Generator.Lag.Max < 0.9 || r.Lagged() == nil || !strings.Contains(warnings, "generator itself") {
			t.Errorf("%s: valid %v, p99 %v, without the generator's lag %v, lag %+v, warnings %q; want an invalid run that blames the generator",
				engine, r.Valid(), r.Latency.P99, r.Generator.WithoutLag.P99, r.Generator.Lag, warnings)
		}
	}
}

// TestServersPause freezes the server instead: that is the server's latency.
func TestServersPause(t *testing.T) {
	var n atomic.Int64
	var mu sync.RWMutex
	r, warnings := measured(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 200 {
			mu.Lock()
			time.Sleep(time.Second)
			mu.Unlock()
		}
		mu.RLock()
		defer mu.RUnlock()
	}, nil, "-rate", "200", "-duration", "3s", "-warmup", "0s", "-scenario", "site", "-workers", "8")
	if r.Latency.P99 < 0.7 || r.Generator.WithoutLag.P99 < 0.7 {
		t.Errorf("p99 %v, without the generator's lag %v, lag %+v, warnings %q; want a second that is the server's",
			r.Latency.P99, r.Generator.WithoutLag.P99, r.Generator.Lag, warnings)
	}
}

// TestBacklog has a server that answers one request after the other, 108 a second at most.
func TestBacklog(t *testing.T) {
	var turn sync.Mutex
	var first, last, answered atomic.Int64
	r, warnings := measured(t, func(http.ResponseWriter, *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		first.CompareAndSwap(0, time.Now().UnixNano())
		time.Sleep(time.Second / 108)
		last.Store(time.Now().UnixNano())
		answered.Add(1)
	}, nil, "-rate", "250", "-duration", "2s", "-warmup", "0s", "-scenario", "site", "-workers", "40")
	truth := float64(answered.Load()) / time.Duration(last.Load()-first.Load()).Seconds()
	t.Logf("answers came at %.1f/s, the record says %.1f/s; %s", truth, r.Throughput, warnings)
	if math.Abs(r.Throughput-truth) > truth/20 || truth > 108 || !strings.Contains(warnings, "a backlog was left") {
		t.Errorf("throughput %v, the server did %v; warnings %q", r.Throughput, truth, warnings)
	}
	if r.Requests+r.Unsent != 500 || r.Unsent == 0 || r.Requests != answered.Load() || math.Abs(r.SuccessRatio-float64(r.Requests)/500) > 1e-9 ||
		r.Missing != r.Unsent {
		t.Errorf("%d requests, %d unsent, success %v, missing %d; 500 were due and the server answered %d", r.Requests, r.Unsent, r.SuccessRatio,
			r.Missing, answered.Load())
	}
}

// TestFailuresApart has a server of which half of the answers are quick failures: no latency of a success is below its own.
func TestFailuresApart(t *testing.T) {
	var n atomic.Int64
	r, _ := measured(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		time.Sleep(30 * time.Millisecond)
	}, nil, "-rate", "100", "-duration", "1s", "-warmup", "0s", "-scenario", "site")
	if r.Latency.Min < 0.03 || r.Latency.P50 < 0.03 || r.Failures == nil || r.Failures.P50 > 0.03 || r.SuccessRatio != 0.5 {
		t.Errorf("latency %+v, of failures %+v, success %v", r.Latency, r.Failures, r.SuccessRatio)
	}
}

// TestRaw writes every measured hit for vegeta, whose own report has the same counts.
func TestRaw(t *testing.T) {
	var n atomic.Int64
	for _, engine := range []string{"fast", "vegeta"} {
		n.Store(0)
		path := filepath.Join(t.TempDir(), "hits.gob")
		r, _ := measured(t, func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1)%10 == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = io.WriteString(w, "hello")
		}, nil, "-rate", "200", "-duration", "1s", "-warmup", "300ms", "-scenario", "site", "-engine", engine, "-raw", path)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var m vegeta.Metrics
		decode := vegeta.NewDecoder(f)
		for {
			var result vegeta.Result
			if err := decode(&result); err != nil {
				if !strings.Contains(err.Error(), "EOF") {
					t.Fatal(err)
				}
				break
			}
			m.Add(&result)
		}
		m.Close()
		if int64(m.Requests) != r.Requests || m.StatusCodes["200"] != int(r.Status["200"]) || m.StatusCodes["503"] != int(r.Status["503"]) ||
			math.Abs(m.Success-r.SuccessRatio) > 1e-9 || int64(m.BytesIn.Total) != r.BytesReceived || r.Requests != 200 || r.Status["503"] < 15 {
			t.Errorf("%s: vegeta reads %d requests %v, success %v, %d bytes; the record has %d %v %v %d", engine, m.Requests, m.StatusCodes,
				m.Success, m.BytesIn.Total, r.Requests, r.Status, r.SuccessRatio, r.BytesReceived)
		}
		if p := m.Latencies.Max.Seconds(); math.Abs(p-max(r.Latency.Max, r.Failures.Max)) > 0.001 {
			t.Errorf("%s: the slowest took %v by vegeta, %v by the record", engine, p, max(r.Latency.Max, r.Failures.Max))
		}
	}
}

// TestTargets sends vegeta's formats, by path and by whole URL, in their order.
func TestTargets(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	handler := func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("X-One"), body))
	}
	other := httptest.NewServer(http.HandlerFunc(handler))
	defer other.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	body := write("body", "from a file")
	for name, text := range map[string]string{
		"http":      "GET /a?x=1\nX-One: 1\n\nPOST /b\n@" + body + "\n",
		"json":      `{"method":"GET","url":"/a?x=1","header":{"X-One":["1"]}}` + "\n" + `{"method":"POST","url":"/b","body":"ZnJvbSBhIGZpbGU="}` + "\n",
		"whole":     "GET " + other.URL + "/a?x=1\nX-One: 1\n\nPOST " + other.URL + "/b\n@" + body + "\n",
		"two hosts": "GET " + other.URL + "/a?x=1\nX-One: 1\n\nPOST /b\n@" + body + "\n",
	} {
		seen = nil
		r, warnings := measured(t, handler, nil, "-rate", "20", "-duration", "300ms", "-warmup", "0s", "-targets", write(name, text))
		want := []string{"GET /a?x=1 1 ", "GET /a?x=1 1 ", "GET /a?x=1 1 ", "POST /b  from a file", "POST /b  from a file", "POST /b  from a file"}
		slices.Sort(seen)
		if !slices.Equal(seen, want) || r.Requests != 6 || len(r.Routes) != 2 || r.Scenario != "targets" {
			t.Errorf("%s: the servers saw %q; %d requests, %d routes, %s", name, seen, r.Requests, len(r.Routes), warnings)
		}
	}
}

// TestRequestFlags are those of curl and hey.
func TestRequestFlags(t *testing.T) {
	type request struct{ Method, URL, Type, Body string }
	var last atomic.Value
	r, _ := measured(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last.Store(request{r.Method, r.URL.String(), r.Header.Get("Content-Type"), string(body)})
		w.WriteHeader(http.StatusTeapot)
	}, nil, "-rate", "0", "-n", "50", "-warmup", "0s", "-m", "put", "-H", "Content-Type: text/plain", "-body", "hello", "-expect-status", "418")
	if got, want := last.Load(), (request{"PUT", "/", "text/plain", "hello"}); got != want {
		t.Errorf("the server saw %+v, want %+v", got, want)
	}
	if r.Requests != 50 || r.SuccessRatio != 1 || r.BytesSent != 250 || r.Connect == nil || r.FirstByte == nil || r.Load.Engine != "fast" {
		t.Errorf("%d requests, success %v, %d bytes sent, connect %v, first byte %v, load %+v", r.Requests, r.SuccessRatio, r.BytesSent, r.Connect,
			r.FirstByte, r.Load)
	}
}

// TestProm asks for the live metrics while the attack lasts.
func TestProm(t *testing.T) {
	ln := httptest.NewServer(http.NotFoundHandler()) // a port that is free once it is closed
	addr := ln.Listener.Addr().String()
	ln.Close()
	var text string
	measured(t, func(http.ResponseWriter, *http.Request) {}, func(int) {
		for limit := time.Now().Add(20 * time.Second); !strings.Contains(text, `loadgen_requests_total{error="",status="200"`) && time.Now().Before(limit); {
			time.Sleep(20 * time.Millisecond)
			resp, err := http.Get("http://" + addr + "/metrics")
			if err != nil {
				continue
			}
			data, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			text = string(data)
		}
	}, "-rate", "200", "-duration", "2s", "-warmup", "0s", "-scenario", "site", "-prom", addr)
	if !strings.Contains(text, `loadgen_requests_total{error="",status="200"`) || !strings.Contains(text, "loadgen_latency_seconds_bucket{") {
		t.Errorf("metrics:\n%s", text)
	}
}
