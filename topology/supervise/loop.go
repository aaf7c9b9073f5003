package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is one running generation, as the loop sees it.
type process interface {
	pid() int
	signal(sig syscall.Signal) error
	// terminate ends it: TERM, then KILL after grace, at once if that is 0. It returns at once; why goes into its
	// exit reason.
	terminate(grace time.Duration, why string)
}

// launcher starts generations. It calls onReady at most once and onExit exactly once for each that it
// started, from other goroutines; nothing of the generation is left when onExit is called.
type launcher interface {
	launch(ctx context.Context, onReady func(), onExit func(reason string)) (process, error)
}

// request is a wish of a method, answered by the loop.
type request struct {
	kind   eventKind
	answer chan<- error
}

func (p *Process) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running {
		return fmt.Errorf("%q is supervised already", p.spec.Name)
	}
	p.running, p.ended = true, false
	return nil
}

func (p *Process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.ended = false, true
	p.announce()
}

// announce wakes everybody who waits for a change. The caller holds p.mu.
func (p *Process) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// loop is the state of one Run.
type loop struct {
	p       *Process
	m       *machine
	events  chan event
	alive   map[int]*generation
	delay   *time.Timer
	waiters sync.WaitGroup // of the generations
	reload  chan<- error   // who waits for the reload that is going on; nil: nobody
}

// generation is one start of the process.
type generation struct {
	process process
	started time.Time
	timeout *time.Timer
	ctx     context.Context // ends with the generation
	cancel  context.CancelFunc
}

func (p *Process) loop(ctx context.Context) error {
	// The kernel sends the death signal when the *thread* that forked ends: keep it as long as the
	// processes live.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	l := &loop{
		p:      p,
		m:      newMachine(p.spec.Restart, rand.Float64),
		events: make(chan event),
		alive:  map[int]*generation{},
		delay:  time.NewTimer(time.Hour),
	}
	l.delay.Stop()
	defer l.delay.Stop()
	base := context.WithoutCancel(ctx) // of the processes: they end when they are told to
	if err := l.take(base, event{kind: begin}); err != nil {
		return err
	}
	done := ctx.Done()
	for !l.over() {
		select {
		case <-done:
			done = nil
			_ = l.take(base, event{kind: stop})
		case e := <-l.events:
			_ = l.take(base, e)
		case <-l.delay.C:
			_ = l.take(base, event{kind: delayOver})
		case r := <-p.requests:
			l.grant(base, r)
		}
	}
	l.waiters.Wait()
	l.answerReload(errors.New("stopped meanwhile"))
	if l.m.state == Failed && ctx.Err() == nil {
		return fmt.Errorf("%q ended %d times within %v, the last time with %s",
			p.spec.Name, len(l.m.quick), p.spec.Restart.Window, l.m.reason)
	}
	return nil
}

// over tells whether nothing is left to do.
func (l *loop) over() bool {
	if len(l.alive) > 0 {
		return false
	}
	return l.m.state == Stopped || l.m.state == Failed && !l.p.spec.KeepFailed
}

func (l *loop) grant(ctx context.Context, r request) {
	if r.kind == reload && l.reload != nil {
		r.answer <- fmt.Errorf("%s of %q: a reload is going on", r.kind, l.p.spec.Name)
		return
	}
	if r.kind == reload {
		l.reload = r.answer
	}
	err := l.take(ctx, event{kind: r.kind})
	if err != nil {
		err = fmt.Errorf("%s of %q: %w", r.kind, l.p.spec.Name, err)
	}
	switch {
	case r.kind != reload:
		r.answer <- err
	case err != nil:
		l.answerReload(err)
	}
}

func (l *loop) answerReload(err error) {
	if l.reload != nil {
		l.reload <- err
		l.reload = nil
	}
}

// take lets the machine decide on e and carries out what it says. A launch that fails is an exit.
func (l *loop) take(ctx context.Context, e event) error {
	if e.at.IsZero() {
		e.at = time.Now()
	}
	if e.kind == exited {
		l.buried(e.gen)
	}
	if g := l.alive[e.gen]; e.kind == ready && g != nil && l.p.spec.Alive != nil {
		l.waiters.Go(func() { l.p.watchLife(g.ctx, e.gen, l.events) })
	}
	from := l.m.state
	actions, err := l.m.step(e)
	if err != nil {
		return err
	}
	var failed []event
	for _, a := range actions {
		switch a.kind {
		case launch:
			if err := l.launch(ctx, a.gen); err != nil {
				failed = append(failed, event{kind: exited, gen: a.gen, reason: err.Error()})
			}
		case terminate:
			if g := l.alive[a.gen]; g != nil {
				g.process.terminate(l.p.spec.Grace, a.reason)
			}
		case kill:
			if g := l.alive[a.gen]; g != nil {
				g.process.terminate(0, a.reason)
			}
		case wait:
			l.delay.Reset(a.delay)
		}
	}
	l.publish(from, actions)
	for _, a := range actions { // whoever is answered sees the new state
		if a.kind == reloadDone {
			l.answerReload(reloadError(l.p.spec.Name, a.reason))
		}
	}
	for _, e := range failed {
		if err := l.take(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func reloadError(name, reason string) error {
	if reason == "" {
		return nil
	}
	return fmt.Errorf("reload of %q: the new process did not become ready: %s", name, reason)
}

func (l *loop) launch(ctx context.Context, gen int) error {
	ctx, cancel := context.WithCancel(ctx)
	post := func(e event) { l.events <- e } // the loop reads until every generation has reported its exit
	l.waiters.Add(1)
	process, err := l.p.launch.launch(ctx,
		func() { post(event{kind: ready, gen: gen}) },
		func(reason string) {
			defer l.waiters.Done()
			post(event{kind: exited, gen: gen, reason: reason})
		})
	if err != nil {
		l.waiters.Done()
		cancel()
		return err
	}
	g := &generation{process: process, started: time.Now(), ctx: ctx, cancel: cancel}
	// A timer that fires when the loop has ended must not wait for it.
	why := fmt.Sprintf("not ready within %v", l.p.spec.ReadyTimeout)
	g.timeout = time.AfterFunc(l.p.spec.ReadyTimeout, func() {
		select {
		case l.events <- event{kind: timedOut, gen: gen, reason: why}:
		case <-ctx.Done():
		}
	})
	l.alive[gen] = g
	return nil
}

// buried forgets a generation that has ended.
func (l *loop) buried(gen int) {
	if g := l.alive[gen]; g != nil {
		g.timeout.Stop()
		g.cancel()
		delete(l.alive, gen)
	}
}

// publish makes the machine's state visible.
func (l *loop) publish(from State, actions []action) {
	p, m := l.p, l.m
	p.mu.Lock()
	p.status = Status{State: m.state, Restarts: m.restarts, Reason: m.reason}
	p.current = nil
	p.gen = max(p.gen, m.last)
	if g := l.alive[cmp.Or(m.cur, m.next)]; g != nil {
		p.current = g.process
		p.status.PID, p.status.Started = g.process.pid(), g.started
	}
	e := Event{From: from, To: m.state, PID: p.status.PID, Reason: m.reason}
	p.announce()
	p.mu.Unlock()
	for _, a := range actions {
		e.Delay += a.delay
	}
	if from != m.state && p.spec.OnEvent != nil {
		p.spec.OnEvent(e)
	}
}
