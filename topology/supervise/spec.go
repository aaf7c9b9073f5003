package supervise

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
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

func (s Spec) withDefaults() Spec {
	s.ReadyTimeout = cmp.Or(s.ReadyTimeout, 10*time.Second)
	s.Grace = cmp.Or(s.Grace, 10*time.Second)
	s.DeathSignal = cmp.Or(s.DeathSignal, syscall.SIGKILL)
	s.Restart = s.Restart.withDefaults()
	s.Liveness = s.Liveness.withDefaults()
	return s
}

func (l Liveness) withDefaults() Liveness {
	l.Interval = cmp.Or(l.Interval, 500*time.Millisecond)
	l.Timeout = cmp.Or(l.Timeout, time.Second)
	l.Misses = cmp.Or(l.Misses, 2)
	l.ReplaceAfter = cmp.Or(l.ReplaceAfter, 10*time.Second)
	return l
}

func (r RestartPolicy) withDefaults() RestartPolicy {
	r.MinDelay = cmp.Or(r.MinDelay, 100*time.Millisecond)
	r.MaxDelay = max(cmp.Or(r.MaxDelay, 10*time.Second), r.MinDelay)
	r.Jitter = min(max(cmp.Or(r.Jitter, 0.2), 0), 1)
	r.Limit = cmp.Or(r.Limit, 5)
	r.Window = cmp.Or(r.Window, 30*time.Second)
	r.Stable = cmp.Or(r.Stable, time.Second)
	return r
}
