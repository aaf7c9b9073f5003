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

// Event is a change of state.
type Event struct {
	From   State
	To     State
	PID    int
	Delay  time.Duration // until the next start, if To is BackOff
	Reason string        // for people: "exit status 1: listen tcp …"
}

// Status is what is known of a process now.
type Status struct {
	State    State
	PID      int // 0: none runs
	Restarts int
	Started  time.Time // of the process that runs
	Reason   string    // why the last one ended, or why the last reload did not succeed
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
		status:   Status{State: Stopped},
		changed:  make(chan struct{}),
	}
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
