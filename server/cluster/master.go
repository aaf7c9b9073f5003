// Package cluster keeps the workers of mode CLUSTER: processes that accept from one listening socket. It owns
// how many there are, their replacement, one by one, when they end, fall silent or are to be renewed, and their
// end.
//
// The kernel wakes every worker that waits for a connection, and the quickest gets it. That is no fair split:
// an idle machine favours some workers, and a connection that is kept open stays with its worker. Sockets of
// their own (SO_REUSEPORT) would split evenly, but a worker that ends would take the connections that wait on
// its socket along, which is what a reload must not do.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"balanceo/topology/layout"
	"balanceo/topology/supervise"
)

const readyTimeout = 30 * time.Second

// firstTries is how often the workers of a new master may fail to start before the master gives up.
const firstTries = 3

// retryPeriod is when a worker that ended too often is tried again, while others serve.
const retryPeriod = 10 * time.Second

// Config says what a Master keeps.
type Config struct {
	Workers  int                       // how many to begin with, 1 to layout.MaxWorkers
	Listener *net.TCPListener          // what they accept from; Run closes it when it tells them to end
	Command  func() (*exec.Cmd, error) // makes the command of one worker
	Grace    time.Duration             // how long a worker has to drain
	Ready    func() error              // called once, when all workers are ready; may be nil
	Log      *slog.Logger              // nil: slog.Default
	Restart  supervise.RestartPolicy   // of each worker
	Counted  func(ready int)           // told how many workers are ready, whenever that may have changed; may be nil
	Life     Life
}

// Master keeps workers that accept from one listener. Its methods may be called from any goroutine while Run
// goes on.
type Master struct {
	cfg    Config
	log    *slog.Logger
	reload chan struct{} // holds one token while another reload is wanted
	scale  chan struct{} // holds one token while wanted is to be looked at

	running sync.WaitGroup // what Run has started
	fail    context.CancelCauseFunc
	lastID  int

	mu      sync.Mutex
	wanted  int
	workers []*worker // those that are wanted, in the order of their start; the last one goes first
	started bool      // all were ready once
}

type worker struct {
	id      int
	process *supervise.Process
	stop    context.CancelFunc
	tries   int // starts that failed before the master was ready
}

// New makes a master that does not run yet.
func New(cfg Config) *Master {
	m := &Master{cfg: cfg, log: cfg.Log, wanted: cfg.Workers, reload: make(chan struct{}, 1), scale: make(chan struct{}, 1)}
	if m.log == nil {
		m.log = slog.Default()
	}
	return m
}

// Run keeps the workers until ctx is done, then lets them drain and returns nil once all have ended. It
// returns an error when no worker can be started.
func (m *Master) Run(ctx context.Context) error {
	socket, err := m.cfg.Listener.File()
	if err != nil {
		return fmt.Errorf("listener %s: %w", m.cfg.Listener.Addr(), err)
	}
	// The workers end after ctx, or because of an error.
	base, fail := context.WithCancelCause(context.WithoutCancel(ctx))
	m.fail = fail
	m.resize(base, socket)
	m.running.Go(func() { m.awaitFirst(base) })
	m.running.Go(func() { m.watch(base) })

	for {
		select {
		case <-ctx.Done():
			fail(nil)
		case <-base.Done():
		case <-m.reload:
			m.reloadAll(ctx)
			continue
		case <-m.scale:
			m.resize(base, socket)
			continue
		}
		break
	}
	// From the moment that the last worker stops to accept, whoever connects is refused instead of waiting.
	_ = m.cfg.Listener.Close()
	_ = socket.Close()
	m.running.Wait()
	if err := context.Cause(base); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// awaitFirst calls Ready when all workers are ready for the first time.
func (m *Master) awaitFirst(ctx context.Context) {
	for _, w := range m.list() {
		if err := w.process.WaitReady(ctx); err != nil {
			return // Run says why
		}
	}
	m.mu.Lock()
	m.started = true
	m.mu.Unlock()
	if m.cfg.Ready != nil {
		if err := m.cfg.Ready(); err != nil {
			m.fail(err)
		}
	}
}

func (m *Master) list() []*worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*worker{}, m.workers...)
}

// Scale says how many workers there are to be, at least one and at most layout.MaxWorkers. It returns at once.
// Workers that are too many drain and end, the youngest first; those that drain already do not count.
func (m *Master) Scale(n int) {
	if n < 1 || n > layout.MaxWorkers {
		m.log.Warn("the number of workers stays within its bounds", "wanted", n, "least", 1, "most", layout.MaxWorkers)
		n = min(max(n, 1), layout.MaxWorkers)
	}
	m.mu.Lock()
	m.wanted = n
	m.mu.Unlock()
	select {
	case m.scale <- struct{}{}:
	default: // it will be looked at already
	}
}

// Wanted is how many workers there are to be.
func (m *Master) Wanted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wanted
}

// resize starts workers and tells others to end, until there are as many as are wanted.
func (m *Master) resize(ctx context.Context, socket *os.File) {
	m.mu.Lock()
	for len(m.workers) < m.wanted {
		m.grow(ctx, socket)
	}
	for len(m.workers) > m.wanted {
		last := len(m.workers) - 1
		m.workers[last].stop()
		m.workers = m.workers[:last]
	}
	m.mu.Unlock()
	m.count()
}

// count tells how many workers are ready.
func (m *Master) count() {
	if m.cfg.Counted == nil {
		return
	}
	ready := 0
	for _, s := range m.Workers() {
		if s.State == supervise.Ready {
			ready++
		}
	}
	m.cfg.Counted(ready)
}

// grow starts one worker; m.mu is held.
func (m *Master) grow(ctx context.Context, socket *os.File) {
	m.lastID++
	w := &worker{id: m.lastID}
	w.process = supervise.New(supervise.Spec{
		Name:    fmt.Sprintf("worker %d", w.id),
		Command: m.cfg.Command,
		Listen:  func() ([]*os.File, error) { return []*os.File{socket}, nil },
		Grace:   m.cfg.Grace,
		// The first worker in a folder may have to wait for the embedded database's first start.
		ReadyTimeout: readyTimeout,
		Restart:      m.cfg.Restart,
		SameGroup:    true, // whoever ends the master's group ends the workers too
		OnEvent:      func(e supervise.Event) { m.changed(w, e) },
	})
	ctx, w.stop = context.WithCancel(ctx)
	m.workers = append(m.workers, w)
	m.running.Go(func() { m.keep(ctx, w) })
}

// Reload replaces the workers one after the other: each new one answers before its predecessor drains. It
// returns at once; what happens is logged. One that does not start leaves its predecessor, and those that
// are not replaced yet, serving.
func (m *Master) Reload() {
	select {
	case m.reload <- struct{}{}:
	default: // one is wanted already
	}
}

func (m *Master) reloadAll(ctx context.Context) {
	workers := m.list()
	m.log.Info("replacing the workers", "workers", len(workers))
	for _, w := range workers {
		switch err := w.process.Reload(ctx); {
		case err == nil, errors.Is(err, supervise.ErrNotRunning): // sent away, or resting, meanwhile
		case ctx.Err() != nil:
			return
		default:
			m.log.Error("the workers are not replaced", "error", err)
			return
		}
	}
	m.log.Info("the workers are replaced", "workers", len(workers))
}

// Workers tells what is known of the workers now.
func (m *Master) Workers() []supervise.Status {
	var all []supervise.Status
	for _, w := range m.list() {
		all = append(all, w.process.Status())
	}
	return all
}

// keep runs the worker until ctx is done. A worker that ends too often ends the master if no other serves.
func (m *Master) keep(ctx context.Context, w *worker) {
	for {
		err := w.process.Run(ctx)
		if err == nil {
			return
		}
		if !m.anyReady() {
			m.fail(err)
			return
		}
		m.log.Error("a worker is given a rest", "error", err, "seconds", retryPeriod.Seconds())
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPeriod):
		}
	}
}

func (m *Master) anyReady() bool {
	for _, s := range m.Workers() {
		if s.State == supervise.Ready {
			return true
		}
	}
	return false
}

// changed is called by the workers' loops.
func (m *Master) changed(w *worker, e supervise.Event) {
	m.count()
	switch {
	case e.To == supervise.BackOff && e.From == supervise.Starting:
		m.log.Warn("a worker did not start", "worker", w.id, "reason", e.Reason, "again_in", e.Delay)
		m.mu.Lock()
		w.tries++
		hopeless := !m.started && w.tries >= firstTries
		m.mu.Unlock()
		if hopeless {
			m.fail(fmt.Errorf("no worker can be started: %s", e.Reason))
		}
	case e.To == supervise.BackOff, e.From == supervise.Ready && e.To == supervise.Starting:
		m.log.Warn("a worker ended and is replaced", "worker", w.id, "reason", e.Reason)
	case e.To == supervise.Ready:
		m.log.Info("a worker is ready", "worker", w.id, "pid", e.PID)
	case e.From == supervise.Stopping && e.Reason != "":
		m.log.Warn("a worker was stopped", "worker", w.id, "reason", e.Reason)
	}
}
