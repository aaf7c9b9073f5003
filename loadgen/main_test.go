package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"balanceo/results/run"
	"balanceo/topology/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"loadgen": main})
}

// site is a server that says who answered as an nginx in front of two servers would.
type site struct {
	requests atomic.Int64
	manner   atomic.Value // string: "", failing, broken or hanging
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	manner, _ := s.manner.Load().(string)
	if manner == "hanging" { // until the client goes
		<-r.Context().Done()
		return
	}
	w.Header().Set("X-Upstream-Group", "pair")
	w.Header().Set("X-Upstream", fmt.Sprintf("127.0.0.1:%d", 9001+n%2))
	w.Header().Set("X-Instance", fmt.Sprintf("server%d", n%2))
	if manner == "broken" || (manner == "failing" && n%10 == 0) {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

const pairConf = `events {}
http {
    upstream pair {
        zone pair 64k;
        server 127.0.0.1:9001;
        server 127.0.0.1:9002;
    }
    upstream biased {
        zone biased 64k;
        server 127.0.0.1:9001 weight=3;
        server 127.0.0.1:9002;
    }
    server { listen 80; location / { proxy_pass http://pair; } }
}
`

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			s := &site{}
			srv := httptest.NewServer(s)
			env.Defer(srv.Close)
			env.Values["site"] = s
			env.Setenv("TARGET", strings.TrimPrefix(srv.URL, "http://"))
			env.Setenv("NO_COLOR", "1")
			if err := os.WriteFile(filepath.Join(env.WorkDir, "pair.conf"), []byte(pairConf), 0o644); err != nil {
				return err
			}
			biased := strings.NewReplacer("upstream pair", "upstream even", "upstream biased", "upstream pair").Replace(pairConf)
			return os.WriteFile(filepath.Join(env.WorkDir, "biased.conf"), []byte(strings.Replace(biased, "http://pair", "http://even", 1)), 0o644)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":   status,
			"site":     behave,
			"requests": awaitRequests,
			"record":   record,
		},
	})
}

// butForLag takes the exit code of a run whose latencies a busy machine has made invalid for 0: how busy it is, is no subject of
// tests that are about something else.
func butForLag(code int, stderr string) int {
	if code == cli.Verdict && strings.HasPrefix(stderr, "loadgen: the run is invalid: the generator itself") {
		return cli.OK
	}
	return code
}

// status CODE COMMAND… runs a command that must end with that exit code, but for the generator's lag.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // testscript returns it as it is
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want == cli.OK {
		got = butForLag(got, ts.ReadFile("stderr"))
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// site MANNER changes how the server behaves.
func behave(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value("site").(*site).manner.Store(args[0])
}

// requests N waits until the server has got N requests.
func awaitRequests(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	for limit := time.Now().Add(time.Minute); ts.Value("site").(*site).requests.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			ts.Fatalf("the server got fewer than %d requests", n)
		}
	}
}

// record DIR KEY=VALUE… checks the only record in a folder.
func record(ts *testscript.TestScript, _ bool, args []string) {
	runs, damaged, err := run.List(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(runs) != 1 || len(damaged) > 0 {
		ts.Fatalf("%s has %d records and %d damaged ones, want 1 and 0", args[0], len(runs), len(damaged))
	}
	r := runs[0]
	ts.Check(r.Check())
	var errors []string
	for _, e := range r.Errors {
		errors = append(errors, fmt.Sprintf("%s:%d", e.Class, e.Count))
	}
	facts := map[string]any{
		"requests": r.Requests, "responses": r.Responses, "partial": r.Partial,
		"label": r.Label, "scenario": r.Scenario, "errors": strings.Join(errors, ","), "valid": r.Valid(),
		"found": r.Search != nil && r.Search.Confirmed && r.Search.MaxRate > 2 && r.Search.MaxRate < 100,
		"rate":  r.RequestedRate, "series": len(r.Series),
	}
	for _, arg := range args[1:] {
		key, want, _ := strings.Cut(arg, "=")
		if got, known := facts[key]; !known || fmt.Sprint(got) != want {
			ts.Fatalf("record: %s = %v, want %q", key, got, want)
		}
	}
}
