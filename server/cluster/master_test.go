package cluster

import (
	"context"
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
		return
	}
	if os.Getenv(childVar) == "drains" { // until it is killed, or its master is
		<-in.ParentGone
	}
}

// trial is a running master.
type trial struct {
	*Master
	t     *testing.T
	how   *atomic.Value // what workers started from now on are
	begun chan struct{} // closed when all were ready
	ready *atomic.Int64 // as counted by the master
	end   func() error  // waits for the end of Run
	stop  func() error  // brings it about
}

func runMaster(t *testing.T, workers int, broken bool, policy supervise.RestartPolicy, more ...func(*Config)) trial {
	t.Helper()
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	tr := trial{t: t, how: new(atomic.Value), begun: make(chan struct{}), ready: new(atomic.Int64)}
	tr.how.Store("works")
	if broken {
		tr.how.Store("broken")
	}
	cfg := Config{
		Grace:    5 * time.Second,
		Counted:  func(n int) { tr.ready.Store(int64(n)) },
		Workers:  workers,
		Listener: ln,
		Restart:  policy,
		Command: func() (*exec.Cmd, error) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"="+tr.how.Load().(string), "GORACE=atexit_sleep_ms=0")
			return cmd, nil
		},
		Ready: func() error { close(tr.begun); return nil },
	}
	for _, change := range more {
		change(&cfg)
	}
	tr.Master = New(cfg)
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
		case <-tr.begun:
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
	tr.how.Store("broken")
	tr.Reload()
	tr.eventually("a reason that names the new worker's last line", func() bool {
		return strings.Contains(tr.Workers()[0].Reason, "no cheese")
	})
	if now := tr.pids(); !slices.Equal(now, before) {
		t.Errorf("workers after a reload that failed: %v, want the old ones, %v", now, before)
	}
	tr.how.Store("works")
	tr.Reload()
	tr.eventually("two new workers", func() bool {
		now := tr.pids()
		return len(now) == 2 && now[0] != before[0] && now[1] != before[1]
	})
	if err := tr.stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestScale(t *testing.T) {
	tr := runMaster(t, 1, false, supervise.RestartPolicy{})
	first := tr.pids()
	tr.Scale(3)
	tr.eventually("three workers", func() bool { return len(tr.pids()) == 3 })
	tr.Scale(-5)
	tr.eventually("one worker, the first", func() bool { return slices.Equal(tr.pids(), first) })
}

// A worker that drains is still a child of the master for a while, but none of those that are wanted.
func TestScaleWhileAWorkerDrains(t *testing.T) {
	tr := runMaster(t, 4, false, supervise.RestartPolicy{}, func(cfg *Config) { cfg.Grace = 700 * time.Millisecond })
	tr.how.Store("drains")
	tr.Reload() // from now on all take their whole grace to end
	before := tr.pids()
	tr.eventually("four that drain slowly", func() bool {
		return !slices.ContainsFunc(tr.pids(), func(pid int) bool { return slices.Contains(before, pid) }) && len(tr.pids()) == 4
	})
	for _, n := range []int{3, 3, 2, 3} { // told again and again, meanwhile
		tr.Scale(n)
	}
	tr.eventually("three workers", func() bool { return tr.ready.Load() == 3 })
	time.Sleep(time.Second) // all that drained have ended
	if got := len(tr.pids()); got != 3 || tr.ready.Load() != 3 || tr.Wanted() != 3 {
		t.Errorf("%d workers, %d counted, %d wanted; want 3", got, tr.ready.Load(), tr.Wanted())
	}
}

func TestSilentWorkerIsReplaced(t *testing.T) {
	var (
		mu     sync.Mutex
		silent = map[int]bool{}
		beats  uint64
		spared atomic.Bool
	)
	life := Life{
		Silence: 300 * time.Millisecond, Spared: spared.Load,
		Beats: func(pid int) (uint64, bool) {
			mu.Lock()
			defer mu.Unlock()
			if silent[pid] {
				return 0, true
			}
			beats++
			return beats, true
		},
	}
	spared.Store(true)
	tr := runMaster(t, 2, false, supervise.RestartPolicy{}, func(cfg *Config) { cfg.Life = life })
	before := tr.pids()
	mu.Lock()
	silent[before[0]] = true
	mu.Unlock()
	time.Sleep(2 * life.Silence)
	if got := tr.pids(); !slices.Equal(got, before) {
		t.Errorf("workers while silent ones are spared: %v, want %v", got, before)
	}
	spared.Store(false)
	tr.eventually("another in the place of the silent one", func() bool {
		got := tr.pids()
		return len(got) == 2 && !slices.Contains(got, before[0]) && slices.Contains(got, before[1])
	})
}

func TestNoWorkerCanBeStarted(t *testing.T) {
	tr := runMaster(t, 2, true, supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond})
	if err := tr.end(); err == nil || !strings.Contains(err.Error(), "no worker can be started: exit status 1: no cheese") {
		t.Errorf("Run = %v, want the workers' reason", err)
	}
}

func TestLastWorkerThatCrashesInALoopEndsTheMaster(t *testing.T) {
	tr := runMaster(t, 1, false, supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 2})
	tr.how.Store("broken")
	if err := syscall.Kill(tr.pids()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := tr.end(); err == nil || !strings.Contains(err.Error(), "no cheese") {
		t.Errorf("Run = %v, want the worker's reason", err)
	}
}

func TestCrashLoopBesideOthersOnlyRests(t *testing.T) {
	tr := runMaster(t, 2, false, supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 2})
	tr.how.Store("broken")
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
