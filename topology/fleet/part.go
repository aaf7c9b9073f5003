package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/supervise"
)

// part is one thing that is kept: an instance, the balancer or the database.
type part struct {
	name     string
	kind     Kind
	port     int
	instance layout.Instance // of kind Instance
	process  *supervise.Process
	log      *logs.File
	logPath  string
	socket   *socket // of an instance; nil otherwise

	delay    atomic.Int64 // of an instance's answers, in nanoseconds
	leftOut  atomic.Bool  // on purpose: it was taken down
	answered atomic.Int64 // when an instance was last seen to answer, in Unix nanoseconds
	still    atomic.Bool  // its master was seen to stand still

	mu      sync.Mutex
	workers int                // wanted, in mode CLUSTER; 0: as many as server makes by itself
	cancel  context.CancelFunc // ends run; nil: not kept
	done    chan struct{}      // closed when it has ended
	exited  chan struct{}      // closed at the first exit since the last start
	reason  string             // of that exit
	unhold  context.CancelFunc // ends what holds it up for a time; nil: nothing does
	held    time.Time          // until when that is
	begun   chan struct{}      // closed at the first event since the last start
}

// start begins to keep the part, unless it is kept already.
// When it returns, the part is not Stopped any more.
func (p *part) start(ctx context.Context, event func(format string, args ...any)) {
	p.mu.Lock()
	if p.cancel != nil {
		p.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the part outlives the call
	done, begun := make(chan struct{}), make(chan struct{})
	p.cancel, p.done, p.begun, p.exited, p.reason = cancel, done, begun, make(chan struct{}), ""
	p.mu.Unlock()
	go func() {
		defer close(done)
		if err := p.process.Run(ctx); err != nil {
			event("%s: %v", p.name, err)
		}
	}()
	select {
	case <-begun:
	case <-done:
	}
}

// noteEvent wakes who waits for the part to begin and, when that was an exit, for it to come up.
func (p *part) noteEvent(e supervise.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun != nil {
		close(p.begun)
		p.begun = nil
	}
	if e.To != supervise.BackOff && e.To != supervise.Failed {
		return
	}
	select {
	case <-p.exited:
	default:
		p.reason = e.Reason
		close(p.exited)
	}
}

// stop ends the part and waits for its end. The error names what had to be killed for that.
func (p *part) stop() error {
	p.mu.Lock()
	cancel, done := p.cancel, p.done
	p.cancel = nil
	p.mu.Unlock()
	if cancel == nil {
		return nil
	}
	before := p.process.Status()
	cancel()
	<-done
	after := p.process.Status()
	if after.Reason != "" && after.Reason != before.Reason {
		return fmt.Errorf("%s: %s", p.name, after.Reason)
	}
	return nil
}

// kept tells whether the part was started and not stopped.
func (p *part) kept() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cancel != nil
}

func (p *part) wanted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers
}

func (p *part) setWanted(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers = n
}

// awaitReady returns when the part is ready, or with the reason why it will not be. An instance has as many
// tries as it gets from supervise; the balancer and the database have one, for a layout is nothing without them.
func (p *part) awaitReady(ctx context.Context) error {
	if p.kind != Instance {
		p.mu.Lock()
		exited := p.exited
		p.mu.Unlock()
		waiting, end := endsWith(ctx, exited, errExited)
		defer end()
		ctx = waiting
	}
	err := p.process.WaitReady(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errExited):
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("%s does not start: %s", p.name, p.reason)
	case ctx.Err() != nil:
		if reason := p.process.Status().Reason; reason != "" {
			return fmt.Errorf("%s does not start: %w: %s", p.name, context.Cause(ctx), reason)
		}
		return fmt.Errorf("%s does not start: %w", p.name, context.Cause(ctx))
	}
	return err
}

var errExited = errors.New("exited")
