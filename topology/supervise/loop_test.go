package supervise

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakes starts processes that are only a plan, in the fake time of synctest.
type fakes struct {
	plans []plan // of each start; the last one goes for all later ones

	mu     sync.Mutex
	starts []time.Duration // since begin
	begin  time.Time
}

// plan is how a fake process behaves. Times count from its start; 0: never.
type plan struct {
	ready, exit time.Duration
	slowEnd     time.Duration // how long it takes to end after TERM
	broken      bool          // can't be started at all
}

type fake struct {
	plan plan
	term chan struct{}
	once sync.Once
}

func (f *fake) pid() int                    { return 1 }
func (f *fake) signal(syscall.Signal) error { return nil }
func (f *fake) terminate(time.Duration, string) {
	f.once.Do(func() { close(f.term) })
}

func (l *fakes) launch(_ context.Context, onReady func(), onExit func(string)) (process, error) {
	l.mu.Lock()
	plan := l.plans[min(len(l.starts), len(l.plans)-1)]
	l.starts = append(l.starts, time.Since(l.begin))
	l.mu.Unlock()
	if plan.broken {
		return nil, errors.New("no such file")
	}
	f := &fake{plan: plan, term: make(chan struct{})}
	go f.live(onReady, onExit)
	return f, nil
}

func (f *fake) live(onReady func(), onExit func(string)) {
	never := make(<-chan time.Time)
	ready, exit := never, never
	if f.plan.ready > 0 {
		ready = time.After(f.plan.ready)
	}
	if f.plan.exit > 0 {
		exit = time.After(f.plan.exit)
	}
	for {
		select {
		case <-ready:
			onReady()
		case <-exit:
			onExit("exit status 1")
			return
		case <-f.term:
			time.Sleep(f.plan.slowEnd)
			onExit("")
			return
		}
	}
}

// withFakes makes a process of fakes; call it in a bubble of synctest.
func withFakes(policy RestartPolicy, plans ...plan) (*Process, *fakes) {
	p := New(Spec{Name: "fake", Restart: policy, ReadyTimeout: 5 * time.Second})
	l := &fakes{plans: plans, begin: time.Now()}
	p.launch = l
	return p, l
}

func TestLoopBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := RestartPolicy{MinDelay: 100 * time.Millisecond, Jitter: -1, Limit: 4, Window: time.Minute}
		p, l := withFakes(policy, plan{exit: 10 * time.Millisecond})
		err := p.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), `"fake" ended 5 times within 1m0s, the last time with exit status 1`) {
			t.Errorf("Run = %v, want the count, the window and the reason", err)
		}
		want := []time.Duration{0, 110, 320, 730, 1540} // each 10 ms of life and twice the delay before
		for i := range want {
			if i >= len(l.starts) || l.starts[i] != want[i]*time.Millisecond {
				t.Fatalf("starts after %v, want after %v ms", l.starts, want)
			}
		}
	})
}

func TestLoopNeverGivesUpAStableOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour-time.Second)
		defer cancel()
		p, l := withFakes(RestartPolicy{Limit: 1}, plan{ready: time.Second, exit: 3 * time.Second})
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if got, want := len(l.starts), 1200; got != want {
			t.Errorf("%d starts in an hour of lives of 3s, want %d", got, want)
		}
		if got := p.Status().Restarts; got != len(l.starts)-1 {
			t.Errorf("Restarts = %d, want %d", got, len(l.starts)-1)
		}
	})
}

func TestLoopThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := withFakes(RestartPolicy{Limit: 2}, plan{broken: true})
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("Run = %v, want the reason", err)
		}
	})
}

func TestLoopReadyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := withFakes(RestartPolicy{Limit: 1, MinDelay: time.Second, Jitter: -1}, plan{slowEnd: time.Second})
		if err := p.Run(t.Context()); err == nil {
			t.Error("Run = nil, want an error")
		}
		if want := 7 * time.Second; len(l.starts) != 2 || l.starts[1] != want { // 5 s to be ready, 1 s to end, 1 s delay
			t.Errorf("starts after %v, want the second after %v", l.starts, want)
		}
	})
}

func TestLoopReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []Event
		p, l := withFakes(RestartPolicy{},
			plan{ready: time.Second, slowEnd: 2 * time.Second}, plan{exit: time.Second}, plan{ready: 3 * time.Second})
		p.spec.OnEvent = func(e Event) { events = append(events, e) }
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- p.Run(ctx) }()
		if err := p.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.Reload(ctx); err == nil || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("Reload to a broken one = %v, want the reason", err)
		}
		begin := time.Now()
		if err := p.Reload(ctx); err != nil {
			t.Errorf("Reload = %v, want nil", err)
		}
		if took := time.Since(begin); took != 5*time.Second { // 3 s to be ready, then 2 s to drain
			t.Errorf("Reload took %v, want 5s", took)
		}
		if s := p.Status(); s.State != Ready || s.Restarts != 0 {
			t.Errorf("Status = %+v, want ready and no restart", s)
		}
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if len(l.starts) != 3 {
			t.Errorf("%d starts, want 3", len(l.starts))
		}
		var states []State
		for _, e := range events {
			states = append(states, e.To)
		}
		if len(states) != 4 { // never anything but ready in between
			t.Errorf("states = %v, want starting, ready, stopping, stopped", states)
		}
	})
}

func TestLoopRequestsWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := withFakes(RestartPolicy{}, plan{ready: time.Second})
		for name, err := range map[string]error{"Reload": p.Reload(t.Context()), "Restart": p.Restart(t.Context())} {
			if !errors.Is(err, ErrNotRunning) {
				t.Errorf("%s without Run = %v, want ErrNotRunning", name, err)
			}
		}
		if err := p.Signal(syscall.SIGHUP); err == nil {
			t.Error("Signal without a process = nil, want an error")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitReady without Run = %v, want the end of its context", err)
		}
	})
}

func TestLoopStopEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := withFakes(RestartPolicy{}, plan{slowEnd: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ran, waited := make(chan error), make(chan error)
		go func() { ran <- p.Run(ctx) }()
		go func() { waited <- p.WaitReady(t.Context()) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if err := <-waited; err == nil || !strings.Contains(err.Error(), "stopped") {
			t.Errorf("WaitReady = %v, want that it is stopped", err)
		}
	})
}

func TestLoopRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := withFakes(RestartPolicy{}, plan{ready: time.Second, slowEnd: time.Second}, plan{exit: time.Second}, plan{ready: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- p.Run(ctx) }()
		if err := p.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.Restart(ctx); err == nil || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("Restart to a broken one = %v, want the reason", err)
		}
		if err := p.WaitReady(ctx); err != nil { // by itself, after the back-off
			t.Errorf("WaitReady = %v, want nil", err)
		}
		cancel()
		<-ran
	})
}
