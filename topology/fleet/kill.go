package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"balanceo/server/scoreboard"
	"balanceo/topology/procs"
)

// kill sends a signal to the process of a part: the master's in mode CLUSTER and of nginx, or to the worker
// that the action names.
func (f *Fleet) kill(_ context.Context, a Action, progress Progress) error {
	p, err := f.one(a)
	if err != nil {
		return err
	}
	sig, err := ParseSignal(cmp.Or(a.Signal, "KILL"))
	if err != nil {
		return err
	}
	if a.For != 0 {
		return f.killFor(p, a.Worker, sig, time.Duration(a.For), progress)
	}
	pid, err := p.signal(a.Worker, sig)
	if err != nil {
		return err
	}
	progress(fmt.Sprintf("%s: sent %s to pid %d", p.name, unix.SignalName(sig), pid))
	return nil
}

// killFor keeps a part down, or with STOP frozen, for that long. Without a worker the whole part is meant.
func (f *Fleet) killFor(p *part, worker int, sig syscall.Signal, d time.Duration, progress Progress) error {
	pid := p.process.Status().PID
	if pid == 0 {
		return fmt.Errorf("%s: no process runs", p.name)
	}
	target := -pid
	if worker != 0 {
		target = worker
	}
	switch {
	case sig == syscall.SIGSTOP:
		until := time.Now().Add(d)
		p.process.Spare(until)
		if p.kind == Instance {
			if err := scoreboard.Spare(f.scoreboard(p), until); err != nil {
				return err
			}
		}
		if worker != 0 {
			if _, err := p.signal(worker, sig); err != nil {
				return err
			}
		} else if err := syscall.Kill(target, sig); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		thaw := func() {
			if p.process.Status().PID == pid {
				_ = syscall.Kill(target, syscall.SIGCONT) // it may have ended
			}
		}
		f.hold(p, d, func() {
			thaw()
			f.notePart(p, "thawed after %v", d)
		}, thaw)
		progress(fmt.Sprintf("%s is frozen for %v", p.name, d))
	case worker != 0:
		return fmt.Errorf("%s: a worker can be held up for a time by STOP only; its master replaces one that ends", p.name)
	case sig == syscall.SIGKILL || sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGQUIT:
		if err := syscall.Kill(target, sig); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := p.stop(); err != nil { // before it is started again
			f.Note("%v", err)
		}
		f.hold(p, d, func() { f.startAgain(p) }, func() {})
		progress(fmt.Sprintf("%s: sent %s to pid %d; it is started again in %v", p.name, unix.SignalName(sig), pid, d))
	default:
		return fmt.Errorf("%s for a time: accepted are KILL, TERM, INT, QUIT and STOP", unix.SignalName(sig))
	}
	return nil
}

// hold calls after once d is over, or early when the part is acted on or the layout taken down before that.
//
//nolint:contextcheck // it outlives the action
func (f *Fleet) hold(p *part, d time.Duration, after, early func()) {
	p.letGo()
	ctx, cancel := context.WithCancel(context.Background())
	p.mu.Lock()
	p.unhold, p.held = cancel, time.Now().Add(d)
	p.mu.Unlock()
	f.tasks.Go(func() {
		defer cancel()
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			after()
		case <-ctx.Done():
			early()
		case <-f.stopping:
			early()
		}
	})
}

// letGo ends what hold began.
func (p *part) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unhold != nil {
		p.unhold()
		p.unhold = nil
	}
}

// heldUntil is until when the part is held up on purpose; zero: it is not.
func (p *part) heldUntil() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unhold == nil || time.Now().After(p.held) {
		return time.Time{}
	}
	return p.held
}

//nolint:contextcheck // it comes when the action is over
func (f *Fleet) startAgain(p *part) {
	ctx, release, err := f.takeTurn(context.Background())
	if err != nil {
		return // the layout is taken down
	}
	defer release()
	if p.kept() {
		return // somebody was faster
	}
	f.notePart(p, "is started again")
	p.start(ctx, f.Note)
}

// signal sends a signal to the part's first process or, with worker not 0, to that process among those it has started.
func (p *part) signal(worker int, sig syscall.Signal) (pid int, err error) {
	master := p.process.Status().PID
	if master == 0 {
		return 0, fmt.Errorf("%s: no process runs", p.name)
	}
	if worker == 0 || worker == master {
		return master, p.process.Signal(sig)
	}
	table, err := procs.Read()
	if err != nil {
		return 0, err
	}
	workers := table.Children(master)
	if !slices.Contains(workers, worker) {
		return 0, fmt.Errorf("%s has no worker with pid %d; it has %s", p.name, worker, pids(workers))
	}
	if err := syscall.Kill(worker, sig); err != nil {
		return 0, fmt.Errorf("%s: worker %d: %w", p.name, worker, err)
	}
	return worker, nil
}

func pids(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, pid := range list {
		texts[i] = strconv.Itoa(pid)
	}
	return strings.Join(texts, ", ")
}
