//go:build e2e

package faults

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// load is loadgen's mix through nginx, until it is stopped.
type load struct {
	rig *rig
	cmd *exec.Cmd
	raw string
	out bytes.Buffer // the record
	err bytes.Buffer
}

// startLoad returns when requests go through nginx.
func (r *rig) startLoad(rate int) *load {
	r.Helper()
	l := &load{rig: r, raw: r.path("hits.gob")}
	l.cmd = r.command("loadgen", "-target", ":"+strconv.Itoa(r.http), "-rate", strconv.Itoa(rate), "-duration", "1h", "-warmup", "0s",
		"-workers", "4096", "-raw", l.raw, "-out", r.path("runs"), "-json", "-quiet")
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.err
	if err := l.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = l.cmd.Process.Kill() }) // it has ended but where the test failed
	log := r.path(filepath.Join("run", strconv.Itoa(r.http), "nginx", "access.log"))
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(log); err == nil && info.Size() > 0 {
			return l
		}
		if time.Now().After(deadline) {
			r.Fatalf("no request reaches nginx: %s", l.err.String())
		}
	}
}

// stop ends the load and returns its requests.
func (l *load) stop() []hit {
	l.rig.Helper()
	if err := l.cmd.Process.Signal(syscall.SIGINT); err != nil {
		l.rig.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = l.cmd.Process.Kill() })
	defer kill.Stop()
	var exit *exec.ExitError
	if err := l.cmd.Wait(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		l.rig.Fatalf("loadgen: %v: %s", err, l.err.String())
	}
	f, err := os.Open(l.raw)
	if err != nil {
		l.rig.Fatal(err)
	}
	defer f.Close()
	var hits []hit
	decode := vegeta.NewDecoder(f)
	for {
		var res vegeta.Result
		switch err := decode.Decode(&res); {
		case errors.Is(err, io.EOF):
			return hits
		case err != nil:
			l.rig.Fatalf("hits: %v", err)
		}
		u, err := url.Parse(res.URL)
		if err != nil {
			l.rig.Fatal(err)
		}
		if res.Error == "interrupted" { // by the end of the load
			continue
		}
		hits = append(hits, hit{u.Path, res.Timestamp, res.Timestamp.Add(res.Latency), res.Error})
	}
}
