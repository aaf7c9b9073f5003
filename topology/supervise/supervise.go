// Package supervise keeps one process: it starts it, waits until it says that it is ready, starts it again
// with a growing delay when it ends, replaces it without a gap, and stops it for good.
package supervise

import (
	"context"
	"errors"
	"os"
	"os/exec"
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
	BackOff  State = "backoff" // ended, waits to be started again
	Stopping State = "stopping"
	Failed   State = "failed" // ended too often; is not started again by itself
)

// Spec describes a process to keep. It is not changed once given to New.
type Spec struct {
	Name string
	// Command makes the command of one start, not started. Files that are to be inherited stand in
	// ExtraFiles; supervise appends its own and tells the child by environment which is which.
	Command func() (*exec.Cmd, error)
	// Listeners are handed down by the systemd convention: LISTEN_FDS, LISTEN_PID, from descriptor 3 on.
	Listeners []*os.File
	// Probe tells whether the process with that pid answers. Nil: the process itself reports, with Notify.
	Probe func(ctx context.Context, pid int) error
	// ReadyTimeout bounds a start (10 s). Grace is how long TERM has before KILL (10 s).
	ReadyTimeout, Grace time.Duration
	// Restart bounds the restarting.
	Restart RestartPolicy
	// DeathSignal is sent by the kernel when the supervisor dies, on Linux (SIGKILL).
	DeathSignal syscall.Signal
	// OnEvent is told of every change of state, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// RestartPolicy says how a process that ended is started again.
type RestartPolicy struct {
	MinDelay, MaxDelay time.Duration // 100 ms, 10 s; doubled from one quick exit to the next
	Jitter             float64       // part of the delay, 0..1, that is drawn at random (0.2)
	Limit              int           // more than Limit exits (5) …
	Window             time.Duration // … within Window (30 s) end in Failed
}

// Event is a change of state.
type Event struct {
	Name   string
	From   State
	To     State
	PID    int
	At     time.Time
	Reason string // for people: "exit status 1: listen tcp …"
}

// Status is what is known of a process now.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	PID      int       `json:"pid"` // 0: none runs
	Restarts int       `json:"restarts"`
	Started  time.Time `json:"started"` // of the process that runs
	Reason   string    `json:"reason"`  // why the last one ended, or why the last reload did not succeed
}

// Process is one kept process. Its methods may be called from any goroutine.
type Process struct{ spec Spec }

// New makes a process that does not run yet.
func New(spec Spec) *Process { return &Process{spec: spec} }

var errTodo = errors.New("supervise: not written yet")

// Run keeps the process until ctx is done, then stops it and returns nil once its whole process group has
// ended. It returns an error when the process ends in Failed, and that error says why; with keepFailed
// semantics (topology) the caller may call Run again.
func (p *Process) Run(ctx context.Context) error { return errTodo }

// WaitReady returns when the process is ready, or with the reason why it will not be.
func (p *Process) WaitReady(ctx context.Context) error { return errTodo }

// Reload starts a new process beside the old one, waits until it is ready and only then stops the old one.
// If the new one does not become ready, it is stopped, the old one serves on, and the error says why.
func (p *Process) Reload(ctx context.Context) error { return errTodo }

// Restart stops the process and starts it anew; a Failed one gets a new chance.
func (p *Process) Restart(ctx context.Context) error { return errTodo }

// Signal sends sig to the process.
func (p *Process) Signal(sig syscall.Signal) error { return errTodo }

// Status tells what is known now.
func (p *Process) Status() Status { return Status{Name: p.spec.Name, State: Stopped} }
