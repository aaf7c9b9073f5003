package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"balanceo/topology/supervise"
)

// run runs p until the test ends or the function that it returns is called.
func run(t *testing.T, p *supervise.Process) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- p.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func ready(t *testing.T, p *supervise.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.WaitReady(ctx); err != nil {
		t.Fatalf("WaitReady: %v", err)
	}
}

// eventually waits for a condition of the outside world, for which there is no event.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

// alive tells whether the process lives; a zombie does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err) && syscall.Kill(pid, 0) == nil
	}
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	return !strings.HasPrefix(rest, " Z")
}

func TestStartAndStop(t *testing.T) {
	p := supervise.New(supervise.Spec{Name: "plain", Command: command("plain")})
	stop := run(t, p)
	ready(t, p)
	pid := p.Status().PID
	if pid == 0 || !alive(pid) {
		t.Fatalf("Status().PID = %d, want a living process", pid)
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if alive(pid) {
		t.Errorf("pid %d lives after Run", pid)
	}
	if got := p.Status(); got.State != supervise.Stopped || got.PID != 0 || got.Reason != "" {
		t.Errorf("Status() = %+v, want stopped, without pid and reason", got)
	}
}

func TestKilledIsStartedAgain(t *testing.T) {
	p := supervise.New(supervise.Spec{Name: "plain", Command: command("plain")})
	run(t, p)
	ready(t, p)
	pid := p.Status().PID
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new pid", func() bool {
		s := p.Status()
		return s.State == supervise.Ready && s.PID != pid
	})
	if got := p.Status(); got.Restarts != 1 || got.Reason != "signal: killed" {
		t.Errorf("Status() = %+v, want 1 restart, reason %q", got, "signal: killed")
	}
}

func TestRestartGivesANewProcess(t *testing.T) {
	p := supervise.New(supervise.Spec{Name: "plain", Command: command("plain")})
	run(t, p)
	ready(t, p)
	pid := p.Status().PID
	if err := p.Restart(context.Background()); err != nil {
		t.Fatalf("Restart: %v", err)
	}
	if got := p.Status(); got.State != supervise.Ready || got.PID == pid || alive(pid) {
		t.Errorf("Status() = %+v, old pid %d alive: %v; want ready, a new pid, old one gone", got, pid, alive(pid))
	}
}

func TestCrashLoopFailsWithTheLastLine(t *testing.T) {
	policy := supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond, Limit: 3}
	p := supervise.New(supervise.Spec{Name: "vault", Command: command("exit:3"), Restart: policy})
	err := p.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), `"vault" ended 4 times`) ||
		!strings.Contains(err.Error(), "exit status 3: cannot open the vault") {
		t.Errorf("Run = %v, want 4 ends and the last line", err)
	}
	if err := p.WaitReady(context.Background()); err == nil || !strings.Contains(err.Error(), "vault") {
		t.Errorf("WaitReady = %v, want the reason", err)
	}
}

func TestMissingBinaryFails(t *testing.T) {
	p := supervise.New(supervise.Spec{
		Name:    "nothing",
		Command: func() (*exec.Cmd, error) { return exec.Command("/no/such/binary"), nil },
		Restart: supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 1},
	})
	if err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "/no/such/binary") {
		t.Errorf("Run = %v, want an error that names the binary", err)
	}
}

func TestFailedGetsANewChance(t *testing.T) {
	behaviour := make(chan string, 10)
	for range 2 {
		behaviour <- "exit:1"
	}
	p := supervise.New(supervise.Spec{
		Name: "late",
		Command: func() (*exec.Cmd, error) {
			select {
			case b := <-behaviour:
				return command(b)()
			default:
				return command("plain")()
			}
		},
		Restart:    supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 1},
		KeepFailed: true,
	})
	run(t, p)
	if err := p.WaitReady(context.Background()); err == nil {
		t.Fatal("WaitReady = nil, want the reason of the failure")
	}
	if err := p.Restart(context.Background()); err != nil {
		t.Fatalf("Restart of a failed process: %v", err)
	}
	if got := p.Status(); got.State != supervise.Ready {
		t.Errorf("Status() = %+v, want ready", got)
	}
}

func TestIgnoredTermIsNamed(t *testing.T) {
	p := supervise.New(supervise.Spec{Name: "deaf", Command: command("deaf"), Grace: 50 * time.Millisecond})
	stop := run(t, p)
	ready(t, p)
	pid := p.Status().PID
	if err := stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	want := fmt.Sprintf("(pid %d) ignored TERM for 50ms and was killed", pid)
	if got := p.Status().Reason; !strings.Contains(got, want) {
		t.Errorf("Reason = %q, want it to contain %q", got, want)
	}
	if alive(pid) {
		t.Errorf("pid %d lives", pid)
	}
}

// A leader that only waits for what it has started does not have to pass TERM on.
func TestTermGoesToTheGroup(t *testing.T) {
	const script = `(trap "exit 0" TERM; while :; do sleep 0.02; done) & trap "" TERM; echo ready >&$READY_FD; wait`
	p := supervise.New(supervise.Spec{
		Name: "leader", Grace: 20 * time.Second,
		Command: func() (*exec.Cmd, error) { return exec.Command("sh", "-c", script), nil },
	})
	stop := run(t, p)
	ready(t, p)
	if err := stop(); err != nil || p.Status().Reason != "" {
		t.Errorf("Run = %v, reason %q, want an end without KILL", err, p.Status().Reason)
	}
}

// A process that is frozen is unresponsive, ready when it is thawed, and replaced when it stays frozen and nobody
// has spared it.
func TestFrozen(t *testing.T) {
	frozen := make(chan bool, 1)
	frozen <- false
	p := supervise.New(supervise.Spec{
		Name: "frozen", Command: command("plain"),
		Alive: func(context.Context) error {
			is := <-frozen
			frozen <- is
			if is {
				return errors.New("frozen")
			}
			return nil
		},
		Liveness: supervise.Liveness{Interval: time.Millisecond, Misses: 3, ReplaceAfter: 20 * time.Millisecond},
	})
	run(t, p)
	ready(t, p)
	freeze := func(is bool) {
		t.Helper()
		sig := syscall.SIGCONT
		if is {
			sig = syscall.SIGSTOP
		}
		if err := p.Signal(sig); err != nil {
			t.Fatal(err)
		}
		<-frozen
		frozen <- is
	}
	pid := p.Status().PID
	p.Spare(time.Now().Add(time.Hour))
	freeze(true)
	eventually(t, "unresponsive", func() bool { return p.Status().State == supervise.Unresponsive })
	if got := p.Status(); got.PID != pid || !strings.Contains(got.Reason, "no sign of life for ") {
		t.Errorf("Status of the frozen process: %+v", got)
	}
	time.Sleep(60 * time.Millisecond) // there is no event for that nothing happens
	freeze(false)
	eventually(t, "ready again", func() bool { return p.Status().State == supervise.Ready })
	if got := p.Status(); got.PID != pid || got.Restarts != 0 {
		t.Errorf("Status of the thawed process: %+v, want pid %d, spared", got, pid)
	}
	p.Spare(time.Time{})
	freeze(true)
	eventually(t, "another process", func() bool { return p.Status().PID != pid && p.Status().PID != 0 })
	<-frozen
	frozen <- false
	ready(t, p)
	if got := p.Status(); !strings.Contains(got.Reason, "killed: no sign of life for ") || alive(pid) {
		t.Errorf("Status of the new process: %+v, want the reason of the old one's end", got)
	}
}

func TestNotReadyInTime(t *testing.T) {
	p := supervise.New(supervise.Spec{
		Name: "mute", Command: command("mute"), ReadyTimeout: 50 * time.Millisecond,
		Restart: supervise.RestartPolicy{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Limit: 1},
	})
	if err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "not ready within 50ms") {
		t.Errorf("Run = %v, want %q in it", err, "not ready within 50ms")
	}
}

func TestWholeGroupEnds(t *testing.T) {
	out, w := io.Pipe()
	p := supervise.New(supervise.Spec{
		Name: "litter",
		Command: func() (*exec.Cmd, error) {
			cmd, err := command("litter")()
			cmd.Stdout = w
			return cmd, err
		},
	})
	stop := run(t, p)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	ready(t, p)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Errorf("pid %d, a member of the group that ignores TERM, lives", pid)
	}
	if got := p.Status().Reason; !strings.Contains(got, strconv.Itoa(pid)) {
		t.Errorf("Reason = %q, want it to name pid %d", got, pid)
	}
}

func TestChildDiesWithItsSupervisor(t *testing.T) {
	for _, behaviour := range []string{"plain", "deaf"} {
		t.Run(behaviour, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"=supervisor:"+behaviour)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, _ := strconv.Atoi(strings.TrimSpace(line))
			if !alive(pid) {
				t.Fatalf("grandchild %d does not live", pid)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			eventually(t, "the end of the grandchild", func() bool { return !alive(pid) })
		})
	}
}

func TestReloadLosesNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := supervise.New(supervise.Spec{Name: "web", Command: command("serve"), Listen: func() ([]*os.File, error) { return []*os.File{file}, nil }})
	run(t, p)
	ready(t, p)

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	pids := map[string]int{}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			res, err := client.Get("http://" + ln.Addr().String())
			if err != nil {
				stopped <- err
				return
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				stopped <- err
				return
			}
			pids[string(body)]++
		}
	}()
	for range 3 {
		if err := p.Reload(context.Background()); err != nil {
			t.Errorf("Reload: %v", err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Errorf("a request during the reloads: %v", err)
	}
	if len(pids) < 3 {
		t.Errorf("answers by pid: %v, want at least 3 pids", pids)
	}
	if got := p.Status().Restarts; got != 0 {
		t.Errorf("Restarts = %d after reloads, want 0", got)
	}
}

func TestReloadKeepsTheOldOneIfTheNewOneFails(t *testing.T) {
	behaviour := make(chan string, 2)
	behaviour <- "plain"
	behaviour <- "exit:7"
	p := supervise.New(supervise.Spec{
		Name:    "web",
		Command: func() (*exec.Cmd, error) { return command(<-behaviour)() },
	})
	run(t, p)
	ready(t, p)
	pid := p.Status().PID
	err := p.Reload(context.Background())
	if err == nil || !strings.Contains(err.Error(), "exit status 7: cannot open the vault") {
		t.Errorf("Reload = %v, want the reason", err)
	}
	if got := p.Status(); got.State != supervise.Ready || got.PID != pid || !strings.Contains(got.Reason, "vault") {
		t.Errorf("Status() = %+v, want ready, pid %d and the reason", got, pid)
	}
}

func TestProbe(t *testing.T) {
	asked := 0
	p := supervise.New(supervise.Spec{
		Name: "probed", Command: command("mute"),
		Probe: func(_ context.Context, pid int) error {
			if asked++; asked < 3 {
				return fmt.Errorf("pid %d: not yet", pid)
			}
			return nil
		},
	})
	run(t, p)
	ready(t, p)
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}

func TestHundredCrashesLeakNothing(t *testing.T) {
	p := supervise.New(supervise.Spec{
		Name: "crash", Command: command("exit:1"),
		Restart: supervise.RestartPolicy{MinDelay: time.Microsecond, MaxDelay: time.Microsecond, Limit: 99},
	})
	before := takeStock(t)
	if err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "ended 100 times") {
		t.Fatalf("Run = %v, want 100 ends", err)
	}
	var after stock
	eventually(t, "as few goroutines, descriptors and children as before", func() bool {
		after = takeStock(t)
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors &&
			after.children <= before.children
	})
	t.Logf("before %+v, after %+v", before, after)
}
