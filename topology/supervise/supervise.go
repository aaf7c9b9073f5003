// Package supervise keeps one process: it starts it, waits until it says that it is ready, starts it again
// with a growing delay when it ends, replaces it without a gap, and stops it for good.
//
// The package has two sides. A supervisor makes a Process from a Spec and calls Run; the child calls
// Inherited to learn what it was given (listeners, a way to report that it is ready, a channel that tells
// of its parent's death).
//
// What happens when is decided by machine, a pure state machine; Run only carries out what it says. Each
// start of the process is a generation; two generations live side by side while a reload lasts.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// State is where a process is in its life.
type State string

// The states.
const (
	Stopped  State = "stopped"  // not wanted
	Starting State = "starting" // running, not ready yet
	Ready    State = "ready"
	// Unresponsive is a process that was ready, runs, and gives no sign of life any more.
	Unresponsive State = "unresponsive"

	BackOff  State = "backoff" // ended, waits to be started again
	Stopping State = "stopping"
	Failed   State = "failed" // ended too often; is not started again by itself
)

// Spec describes a process to keep. It is not changed once given to New.
type Spec struct {
	Name string
	// Command makes the command of one start, not started. Files that are to be inherited stand in
	// ExtraFiles; they come after the listeners, and supervise appends its own and tells the child by
	// environment which is which. What the command writes to Stdout and Stderr (nil: nowhere) passes
	// through the supervisor, which keeps the last lines for Reason.
	Command func() (*exec.Cmd, error)
	// Listen is asked at every start for the listeners to hand down, by the systemd convention: LISTEN_FDS,
	// LISTEN_PID, from descriptor 3 on. Nil: there are none. Run does not close them.
	Listen func() ([]*os.File, error)
	// Probe tells whether the process with that pid answers. Nil: the process itself reports, with Notify.
	Probe func(ctx context.Context, pid int) error
	// Alive asks the process, once it is ready, for a sign of life, as Liveness says. Nil: nobody asks.
	Alive    func(ctx context.Context) error
	Liveness Liveness
	// ReadyTimeout bounds a start (10 s). Grace is how long TERM has before KILL (10 s).
	ReadyTimeout, Grace time.Duration
	// Restart bounds the restarting.
	Restart RestartPolicy
	// DeathSignal is sent by the kernel when the supervisor dies, on Linux (SIGKILL).
	DeathSignal syscall.Signal
	// SameGroup leaves the process in the supervisor's own process group instead of making it the leader
	// of a new one, so that whoever ends the supervisor's group ends the process as well. Signals then go
	// to the process alone.
	SameGroup bool
	// KeepFailed lets Run go on when the process is Failed, until ctx ends or Restart or Reload gives
	// the process a new chance.
	KeepFailed bool
	// OnEvent is told of every change of state, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// Liveness says how a process that runs is watched.
type Liveness struct {
	Interval     time.Duration // between two questions (500 ms)
	Timeout      time.Duration // of one (1 s)
	Misses       int           // so many without an answer in a row (2) make it Unresponsive
	ReplaceAfter time.Duration // it is killed when it has been so for as long (10 s), unless it is spared
}

// RestartPolicy says how a process that ended is started again. A process that was ready for Stable is
// started again at once; otherwise its exit was a quick one, which delays the next start.
type RestartPolicy struct {
	MinDelay, MaxDelay time.Duration // 100 ms, 10 s; doubled from one quick exit to the next
	Jitter             float64       // part of the delay, 0..1, that is drawn at random (0.2; negative: none)
	Limit              int           // more than Limit quick exits (5) …
	Window             time.Duration // … within Window (30 s) end in Failed
	Stable             time.Duration // an exit is quick if the process was ready for less than this (1 s)
}

// Event is a change of state.
type Event struct {
	Name   string
	From   State
	To     State
	PID    int
	At     time.Time
	Delay  time.Duration // until the next start, if To is BackOff
	Reason string        // for people: "exit status 1: listen tcp …"
}

// Status is what is known of a process now.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	PID      int       `json:"pid"` // 0: none runs
	Restarts int       `json:"restarts"`
	Started  time.Time `json:"started"` // of the process that runs
	Reason   string    `json:"reason"`  // why the last one ended, or why the last reload did not succeed
	// Output is the last that the process which Reason is about has written, 20 lines at most.
	Output []string `json:"output,omitempty"`
}

// ErrNotRunning is returned where a method needs Run to be going on.
var ErrNotRunning = errors.New("not supervised now")

// Process is one kept process. Its methods may be called from any goroutine.
type Process struct {
	spec     Spec
	launch   launcher
	requests chan request  // to the loop of Run
	turn     chan struct{} // holds one token: Reload and Restart take turns

	mu      sync.Mutex
	status  Status
	current process       // nil: none
	gen     int           // generation of current
	running bool          // Run is going on
	ended   bool          // a Run has returned since the last one began
	spared  time.Time     // until then it is not killed for being unresponsive
	changed chan struct{} // closed and replaced at every change of the fields above
}

// New makes a process that does not run yet.
func New(spec Spec) *Process {
	spec = spec.withDefaults()
	return &Process{
		spec:     spec,
		launch:   &execLauncher{spec: spec},
		requests: make(chan request),
		turn:     make(chan struct{}, 1),
		status:   Status{Name: spec.Name, State: Stopped},
		changed:  make(chan struct{}),
	}
}

func (s Spec) withDefaults() Spec {
	s.ReadyTimeout = orElse(s.ReadyTimeout, 10*time.Second)
	s.Grace = orElse(s.Grace, 10*time.Second)
	s.DeathSignal = orElse(s.DeathSignal, syscall.SIGKILL)
	s.Restart = s.Restart.withDefaults()
	s.Liveness = s.Liveness.withDefaults()
	return s
}

func (l Liveness) withDefaults() Liveness {
	l.Interval = orElse(l.Interval, 500*time.Millisecond)
	l.Timeout = orElse(l.Timeout, time.Second)
	l.Misses = orElse(l.Misses, 2)
	l.ReplaceAfter = orElse(l.ReplaceAfter, 10*time.Second)
	return l
}

func (r RestartPolicy) withDefaults() RestartPolicy {
	r.MinDelay = orElse(r.MinDelay, 100*time.Millisecond)
	r.MaxDelay = max(orElse(r.MaxDelay, 10*time.Second), r.MinDelay)
	r.Jitter = min(max(orElse(r.Jitter, 0.2), 0), 1)
	r.Limit = orElse(r.Limit, 5)
	r.Window = orElse(r.Window, 30*time.Second)
	r.Stable = orElse(r.Stable, time.Second)
	return r
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Run keeps the process until ctx is done, then stops it and returns nil once its whole process group has
// ended. Without KeepFailed it returns an error when the process ends in Failed, and that error says why;
// the caller may call Run again then. Only one Run at a time.
func (p *Process) Run(ctx context.Context) error {
	if err := p.begin(); err != nil {
		return err
	}
	defer p.end()
	return p.loop(ctx)
}

// WaitReady returns when the process is ready, or with the reason why it will not be. It may be called
// before Run.
func (p *Process) WaitReady(ctx context.Context) error {
	return p.await(ctx, func() (bool, error) {
		switch {
		case p.status.State == Ready:
			return true, nil
		case p.status.State == Failed, p.ended:
			return true, p.unready()
		}
		return false, nil
	})
}

// Reload starts a new process beside the old one, waits until it is ready and only then stops the old one.
// If the new one does not become ready, it is stopped, the old one serves on, and the error says why. It
// returns when the old one has ended. A process that backs off or failed is just started.
func (p *Process) Reload(ctx context.Context) error {
	release, err := p.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return p.ask(ctx, reload)
}

// Restart stops the process and starts it anew, and returns when it is ready or with the reason why it is
// not. A Failed one gets a new chance.
func (p *Process) Restart(ctx context.Context) error {
	release, err := p.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	p.mu.Lock()
	before := p.gen
	p.mu.Unlock()
	if err := p.ask(ctx, restart); err != nil {
		return err
	}
	return p.await(ctx, func() (bool, error) {
		switch s := p.status.State; {
		case p.gen > before && s == Ready:
			return true, nil
		case p.gen > before && s == BackOff, s == Failed, p.ended:
			return true, p.unready()
		}
		return false, nil
	})
}

// Signal sends sig to the process.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	current := p.current
	p.mu.Unlock()
	if current == nil {
		return fmt.Errorf("%q: no process runs", p.spec.Name)
	}
	if err := current.signal(sig); err != nil {
		return fmt.Errorf("%q: %w", p.spec.Name, err)
	}
	return nil
}

// Spare keeps the process from being killed for being unresponsive until then: somebody holds it up on purpose.
func (p *Process) Spare(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spared = until
}

func (p *Process) sparedUntil() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spared
}

// Status tells what is known now.
func (p *Process) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// unready is the error of a process that is not ready. The caller holds p.mu.
func (p *Process) unready() error {
	if p.status.Reason == "" {
		return fmt.Errorf("%q is %s", p.spec.Name, p.status.State)
	}
	return fmt.Errorf("%q is %s: %s", p.spec.Name, p.status.State, p.status.Reason)
}

// await calls done at every change, with p.mu held, until it says true.
func (p *Process) await(ctx context.Context, done func() (bool, error)) error {
	for {
		p.mu.Lock()
		ok, err := done()
		changed := p.changed
		p.mu.Unlock()
		if ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w", p.spec.Name, context.Cause(ctx))
		}
	}
}

// takeTurn lets one Reload or Restart go on at a time.
func (p *Process) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for %q: %w", p.spec.Name, context.Cause(ctx))
	}
}

// ask hands a request to the loop of Run and waits for its answer.
func (p *Process) ask(ctx context.Context, kind eventKind) error {
	p.mu.Lock()
	running, changed := p.running, p.changed
	p.mu.Unlock()
	answer := make(chan error, 1)
	for {
		if !running {
			return fmt.Errorf("%q: %w", p.spec.Name, ErrNotRunning)
		}
		select {
		case p.requests <- request{kind: kind, answer: answer}:
			select {
			case err := <-answer:
				return err
			case <-ctx.Done():
				return fmt.Errorf("%s of %q goes on: %w", kind, p.spec.Name, context.Cause(ctx))
			}
		case <-changed:
			p.mu.Lock()
			running, changed = p.running, p.changed
			p.mu.Unlock()
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w", p.spec.Name, context.Cause(ctx))
		}
	}
}
