package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// Progress is told what an action has done, one line a part.
type Progress func(line string)

var errStopping = errors.New("the layout is being taken down")

// takeTurn waits until no other action goes on. The action's context ends when the layout is to end.
func (f *Fleet) takeTurn(ctx context.Context) (acting context.Context, release func(), err error) {
	select {
	case f.turn <- struct{}{}:
	case <-f.stopping:
		return nil, nil, errStopping
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("another action goes on: %w", context.Cause(ctx))
	}
	acting, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-f.stopping:
			cancel(errStopping)
		case <-acting.Done():
		}
	}()
	return acting, func() {
		cancel(nil)
		<-ended
		<-f.turn
	}, nil
}

// choose returns the parts with these names, or those that an action on everything is for.
func (f *Fleet) choose(names []string, all func(*part) bool) ([]*part, error) {
	var out []*part
	if len(names) == 0 {
		for _, p := range f.parts() {
			if all(p) {
				out = append(out, p)
			}
		}
		return out, nil
	}
	for _, name := range names {
		p, err := f.find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Reload replaces the processes of the named instances, of all without names, one after the other: the new
// one answers before the old one drains. It ends at the first that served and could not be replaced, and
// whose old process serves on; one that did not serve is just started, and if that fails the others' turn
// comes all the same. nginx reads its configuration anew; without names only if that has changed.
func (f *Fleet) Reload(ctx context.Context, names []string, progress Progress) error {
	ctx, release, err := f.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	chosen, err := f.choose(names, func(p *part) bool { return p.kind != status.Database && p.kept() })
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range chosen {
		begun := time.Now()
		served := p.process.Status().State == supervise.Ready
		what, err := f.reload(ctx, p, len(names) > 0)
		switch {
		case err == nil && what != "":
			progress(fmt.Sprintf("%s reloaded in %v%s", p.name, since(begun), what))
		case err != nil && served:
			return errors.Join(append(errs, err)...)
		case err != nil:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// reload replaces one part, and says how; "" if there was nothing to do.
func (f *Fleet) reload(ctx context.Context, p *part, always bool) (string, error) {
	switch {
	case p.kind == status.Database:
		return "", fmt.Errorf("%s can't be reloaded, only restarted: its files belong to one process", p.name)
	case !p.kept():
		return "", fmt.Errorf("%s was taken down; restart it", p.name)
	case p.kind == status.Nginx:
		changed, err := f.reloadNginx(ctx, p, always)
		if err != nil || !changed {
			return "", err
		}
		return ": its configuration is read anew", nil
	}
	before := p.process.Status()
	if err := p.process.Reload(ctx); err != nil {
		f.event("%v", err)
		return "", err
	}
	return fmt.Sprintf(": pid %d → %d", before.PID, p.process.Status().PID), nil
}

// since is for people.
func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Millisecond) }

// reloadNginx writes the configuration anew, lets nginx check it, and only then tells nginx to read it.
func (f *Fleet) reloadNginx(ctx context.Context, p *part, always bool) (changed bool, err error) {
	next := f.nginxConf() + ".next"
	conf, err := f.prepareNginx(ctx, next)
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(next) }() // gone already when all went well
	old, err := os.ReadFile(f.nginxConf())
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(next)
	if err != nil {
		return false, err
	}
	if bytes.Equal(old, text) && !always {
		return false, nil
	}
	if err := f.testNginx(ctx, next); err != nil {
		return false, err
	}
	if err := os.Rename(next, f.nginxConf()); err != nil {
		return false, fmt.Errorf("nginx: %w", err)
	}
	if err := p.process.Signal(syscall.SIGHUP); err != nil {
		return false, err
	}
	conf.File = f.nginxConf()
	f.mu.Lock()
	f.conf = conf
	f.mu.Unlock()
	f.event("nginx: reads its configuration anew")
	return true, nil
}

// Restart ends the processes of the named parts, of all instances and nginx without names, and starts them
// anew, one after the other. One that failed or was taken down is started.
func (f *Fleet) Restart(ctx context.Context, names []string, progress Progress) error {
	ctx, release, err := f.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	chosen, err := f.choose(names, func(p *part) bool { return p.kind != status.Database })
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range chosen {
		begun := time.Now()
		if p.kept() {
			err = p.process.Restart(ctx)
		} else {
			p.start(ctx, f.event)
			err = p.awaitReady(ctx)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		progress(fmt.Sprintf("%s restarted in %v, pid %d", p.name, since(begun), p.process.Status().PID))
	}
	return errors.Join(errs...)
}

// Down ends the named parts, while the others run on.
func (f *Fleet) Down(ctx context.Context, names []string, progress Progress) error {
	_, release, err := f.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	chosen, err := f.choose(names, func(*part) bool { return false })
	if err != nil {
		return err
	}
	for _, p := range chosen {
		begun := time.Now()
		switch err := p.stop(); {
		case err != nil:
			progress(fmt.Sprintf("%s is down after %v: %v", p.name, since(begun), err))
		default:
			progress(fmt.Sprintf("%s is down after %v", p.name, since(begun)))
		}
	}
	return nil
}

// Kill sends a signal to the process of a part: the master's in mode CLUSTER and of nginx, or, with worker
// not 0, that process among those it has started.
func (f *Fleet) Kill(_ context.Context, name string, worker int, sig syscall.Signal) (pid int, err error) {
	p, err := f.find(name)
	if err != nil {
		return 0, err
	}
	master := p.process.Status().PID
	if master == 0 {
		return 0, fmt.Errorf("%s: no process runs", p.name)
	}
	if worker == 0 || worker == master {
		f.event("%s: %s to pid %d", p.name, unix.SignalName(sig), master)
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
	f.event("%s: %s to worker %d", p.name, unix.SignalName(sig), worker)
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

// Scale gives an instance in mode CLUSTER n workers, now and at every later start.
func (f *Fleet) Scale(ctx context.Context, name string, n int, progress Progress) error {
	ctx, release, err := f.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	p, err := f.find(name)
	if err != nil {
		return err
	}
	if p.kind != status.Instance || p.instance.Mode != layout.Cluster {
		return fmt.Errorf("%s is no CLUSTER instance: it has one process", p.name)
	}
	if n < 1 || n > layout.MaxWorkers {
		return fmt.Errorf("%d workers: 1 to %d", n, layout.MaxWorkers)
	}
	p.setWanted(n)
	s := p.process.Status()
	if s.State != supervise.Ready {
		progress(fmt.Sprintf("%s is %s; it will have %d workers when it starts", p.name, s.State, n))
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("not within 20s"))
	defer cancel()
	workers, err := p.resize(ctx, s.PID, n)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	f.event("%s: %d workers", p.name, n)
	progress(fmt.Sprintf("%s has %d workers: %s", p.name, n, pids(workers)))
	return nil
}

// resize tells the master one worker more or one less, by a signal, until there are n. Signals that come
// close together become one, so each one's effect is waited for.
func (p *part) resize(ctx context.Context, master, n int) ([]int, error) {
	signalled := -1 // number of workers when the last signal was sent
	var sent time.Time
	for {
		table, err := procs.Read()
		if err != nil {
			return nil, err
		}
		workers := table.Children(master)
		if len(workers) == n {
			return workers, nil
		}
		if len(workers) != signalled || time.Since(sent) > time.Second {
			sig := syscall.SIGTTIN
			if len(workers) > n {
				sig = syscall.SIGTTOU
			}
			if err := p.process.Signal(sig); err != nil {
				return nil, err
			}
			signalled, sent = len(workers), time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d workers: %w", len(workers), n, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
