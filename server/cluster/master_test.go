package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"balanceo/topology/supervise"
)

// childVar makes the test binary a worker: one that works, or one that exits at once.
const childVar = "CLUSTER_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "":
		os.Exit(m.Run())
	case "broken":
		fmt.Fprintln(os.Stderr, "no cheese")
		os.Exit(1)
	}
	in, err := supervise.Inherited()
	if err != nil || len(in.Listeners) != 1 {
		fmt.Fprintln(os.Stderr, "inherited:", in, err)
		os.Exit(1)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	_ = in.Notify()
	select {
	case <-term:
	case <-in.ParentGone:
	}
}

// trial is a running master.
type trial struct {
	*Master
	t      *testing.T
	broken *atomic.Bool // what workers started from now on are
	ready  chan struct{}
	end    func() error // waits for the end of Run
	stop   func() error // brings it about
}

func runMaster(t *testing.T, workers int, broken bool, policy supervise.RestartPolicy) trial {
	t.Helper()
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	tr := trial{t: t, broken: new(atomic.Bool), ready: make(chan struct{})}
	tr.broken.Store(broken)
	tr.Master = New(Config{
		Workers:  workers,
		Listener: ln,
		Restart:  policy,
		Command: func() (*exec.Cmd, error) {
			how := "works"
			if tr.broken.Load() {
				how = "broken"
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"="+how, "GORACE=atexit_sleep_ms=0")
			return cmd, nil
		},
		Ready: func() error { close(tr.ready); return nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	tr.end = sync.OnceValue(func() error { return <-ended })
	tr.stop = func() error {
		cancel()
		return tr.end()
	}
	t.Cleanup(func() { _ = tr.stop() })
	if !broken {
		select {
		case <-tr.ready:
		case <-time.After(20 * time.Second):
			t.Fatal("not ready within 20s")
		}
	}
	return tr
}

// pids are those of the workers that are ready.
func (tr *trial) pids() (pids []int) {
	for _, s := range tr.Workers() {
		if s.State == supervise.Ready {
			pids = append(pids, s.PID)
		}
	}
	return pids
}

func (tr *trial) eventually(what string, holds func() bool) {
	tr.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tr.t.Fatalf("not within 20s: %s; workers: %+v", what, tr.Workers())
		}
	}
}

func TestReloadToBrokenWorkersKeepsTheOld(t *testing.T) {
	tr := runMaster(t, 2, false, supervise.RestartPolicy{})
	before := tr.pids()
	tr.broken.Store(true)
	tr.Reload()
	tr.eventually("a reason that names the new worker's last line", func() bool {
		return strings.Contains(tr.Workers()[0].Reason, "no cheese")
	})
	if now := tr.pids(); !slices.Equal(now, before) {
		t.Errorf("workers after a reload that failed: %v, want the old ones, %v", now, before)
	}
	tr.broken.Store(false)
	tr.Reload()
	tr.eventually("two new workers", func() bool {
		now := tr.pids()
		return len(now) == 2 && now[0] != before[0] && now[1] != before[1]
	})
	if err := tr.stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestGrowAndShrink(t *testing.T) {
	tr := runMaster(t, 1, false, supervise.RestartPolicy{})
	first := tr.pids()
	tr.Grow()
	tr.Grow()
	tr.eventually("three workers", func() bool { return len(tr.pids()) == 3 })
	for range 5 {
		tr.Shrink()
	}
	tr.eventually("one worker, the first", func() bool { return slices.Equal(tr.pids(), first) })
}

func TestNoWorkerCanBeStarted(t *testing.T) {
	tr := runMaster(t, 2, true, supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond})
	if err := tr.end(); err == nil || !strings.Contains(err.Error(), "no worker can be started: exit status 1: no cheese") {
		t.Errorf("Run = %v, want the workers' reason", err)
	}
}

func TestLastWorkerThatCrashesInALoopEndsTheMaster(t *testing.T) {
	tr := runMaster(t, 1, false, supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 2})
	tr.broken.Store(true)
	if err := syscall.Kill(tr.pids()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := tr.end(); err == nil || !strings.Contains(err.Error(), "no cheese") {
		t.Errorf("Run = %v, want the worker's reason", err)
	}
}

func TestCrashLoopBesideOthersOnlyRests(t *testing.T) {
	tr := runMaster(t, 2, false, supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 2})
	tr.broken.Store(true)
	before := tr.pids()
	if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	tr.eventually("the failure of one", func() bool { return tr.Workers()[0].State == supervise.Failed })
	if now := tr.pids(); !slices.Equal(now, before[1:]) {
		t.Errorf("workers = %v, want the other one, %v", now, before[1:])
	}
	if err := tr.stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestListenInherits(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Listen(&supervise.Inheritance{Listeners: []*os.File{socket}}, "127.0.0.1", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Addr().String() != ln.Addr().String() {
		t.Errorf("Listen = %v, want the inherited %v", got.Addr(), ln.Addr())
	}
	if err := socket.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the inherited file is still open: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tt := range []struct {
		listeners []*os.File
		want      string
	}{
		{[]*os.File{file}, "is no listener"},
		{[]*os.File{file, file}, "2 listeners were inherited"},
	} {
		if _, err := Listen(&supervise.Inheritance{Listeners: tt.listeners}, "127.0.0.1", 0); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Listen with %d inherited = %v, want %q", len(tt.listeners), err, tt.want)
		}
	}
}
