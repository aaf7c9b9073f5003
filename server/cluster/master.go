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

	"balanceo/topology/supervise"
)

// MaxWorkers bounds the workers of one master.
const MaxWorkers = 256

// Grace is how long a worker has to drain. It is below the default of supervise, so that a master that is
// itself given that long ends after its workers.
const Grace = 8 * time.Second

const readyTimeout = 30 * time.Second

// firstTries is how often the workers of a new master may fail to start before the master gives up.
const firstTries = 3

// retryPeriod is when a worker that ended too often is tried again, while others serve.
const retryPeriod = 10 * time.Second

// Config says what a Master keeps.
type Config struct {
	Workers  int                          // how many to begin with, 1 to MaxWorkers
	Listener *net.TCPListener             // what they accept from; Run closes it when it tells them to end
	Command  func() (*exec.Cmd, error)    // makes the command of one worker
	Ready    func() error                 // called once, when all workers are ready; may be nil
	Log      *slog.Logger                 // nil: slog.Default
	Restart  supervise.RestartPolicy      // of each worker
	OnEvent  func(worker supervise.Event) // told of every worker's change of state; may be nil; must not block
}

// Master keeps workers that accept from one listener. Its methods may be called from any goroutine while Run
// goes on.
type Master struct {
	cfg    Config
	log    *slog.Logger
	reload chan struct{} // holds one token while another reload is wanted
	scale  chan int      // +1 and -1: workers to start and to send away

	running sync.WaitGroup // what Run has started
	fail    context.CancelCauseFunc
	lastID  int

	mu      sync.Mutex
	workers []*worker // in the order of their start; the last one goes first
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
	m := &Master{cfg: cfg, log: cfg.Log, reload: make(chan struct{}, 1), scale: make(chan int, MaxWorkers)}
	if m.log == nil {
		m.log = slog.Default()
	}
	return m
}

// Run keeps the workers until ctx is done, then lets them drain and returns nil once all have ended. It
// returns an error when no worker can be started.
func (m *Master) Run(ctx context.Context) error {
	socket, err := file(m.cfg.Listener)
	if err != nil {
		return err
	}
	// The workers end after ctx, or because of an error.
	base, fail := context.WithCancelCause(context.WithoutCancel(ctx))
	m.fail = fail
	for range m.cfg.Workers {
		m.grow(base, socket)
	}
	m.running.Go(func() { m.awaitFirst(base) })

	for {
		select {
		case <-ctx.Done():
			fail(nil)
		case <-base.Done():
		case <-m.reload:
			m.reloadAll(ctx)
			continue
		case n := <-m.scale:
			if n > 0 {
				m.grow(base, socket)
			} else {
				m.shrink()
			}
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

// Grow starts one worker more, up to MaxWorkers. It returns at once.
func (m *Master) Grow() { m.wish(+1) }

// Shrink lets the youngest worker drain and end; the last one stays. It returns at once.
func (m *Master) Shrink() { m.wish(-1) }

func (m *Master) wish(n int) {
	select {
	case m.scale <- n:
	default: // nobody can want so many
	}
}

func (m *Master) grow(ctx context.Context, socket *os.File) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.workers) >= MaxWorkers {
		m.log.Warn("no worker is added: there are as many as may be", "workers", MaxWorkers)
		return
	}
	m.lastID++
	w := &worker{id: m.lastID}
	w.process = supervise.New(supervise.Spec{
		Name:      fmt.Sprintf("worker %d", w.id),
		Command:   m.cfg.Command,
		Listeners: []*os.File{socket},
		Grace:     Grace,
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

func (m *Master) shrink() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.workers) < 2 {
		m.log.Warn("no worker is sent away: the last one stays")
		return
	}
	last := m.workers[len(m.workers)-1]
	m.workers = m.workers[:len(m.workers)-1]
	last.stop()
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
	if m.cfg.OnEvent != nil {
		m.cfg.OnEvent(e)
	}
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
