package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"balanceo/topology/supervise"
)

// reload replaces the processes of the named instances, of all without names, one after the other: the new
// one answers before the old one drains. It ends at the first that served and could not be replaced, and
// whose old process serves on; one that did not serve is just started, and if that fails the others' turn
// comes all the same. The balancer reads its configuration anew; without names only if that has changed.
func (f *Fleet) reload(ctx context.Context, a Action, progress Progress) error {
	chosen, err := f.choose(a.Names, func(p *part) bool { return p.kind != Database && p.kept() })
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range chosen {
		begun := time.Now()
		served := p.process.Status().State == supervise.Ready
		what, err := f.reloadPart(ctx, p, len(a.Names) > 0)
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

// reloadPart replaces one part, and says how; "" if there was nothing to do.
func (f *Fleet) reloadPart(ctx context.Context, p *part, always bool) (string, error) {
	switch {
	case p.kind == Database:
		return "", fmt.Errorf("%s can't be reloaded, only restarted: its files belong to one process", p.name)
	case !p.kept():
		return "", fmt.Errorf("%s was taken down; restart it", p.name)
	case p.kind == Balancer:
		changed, err := f.rebalance(ctx, always, nil)
		if err != nil || !changed {
			return "", err
		}
		return ": its configuration is read anew", nil
	}
	before := p.process.Status()
	if err := p.process.Reload(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf(": pid %d → %d", before.PID, p.process.Status().PID), nil
}

// since is for people.
func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Millisecond) }

// restart ends the processes of the named parts, of all instances and nginx without names, and starts them
// anew, one after the other. One that failed or was taken down is started.
func (f *Fleet) restart(ctx context.Context, a Action, progress Progress) error {
	chosen, err := f.choose(a.Names, func(p *part) bool { return p.kind != Database })
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range chosen {
		begun := time.Now()
		if err := f.restartPart(ctx, p); err != nil {
			errs = append(errs, err)
			continue
		}
		progress(fmt.Sprintf("%s restarted in %v, pid %d", p.name, since(begun), p.process.Status().PID))
	}
	return errors.Join(errs...)
}

func (f *Fleet) restartPart(ctx context.Context, p *part) error {
	if p.kind == Balancer { // as by hand: it reads what stands in nginx.conf now, and does not end for one that is broken
		f.balancing.Lock()
		_, err := f.renewBalancer(ctx, f.siteNow(), true)
		f.balancing.Unlock()
		if err != nil {
			return err
		}
	}
	p.letGo()
	if p.kept() {
		return p.process.Restart(ctx)
	}
	p.start(ctx, f.Note)
	if err := p.awaitReady(ctx); err != nil {
		return err
	}
	p.leftOut.Store(false)
	return f.leaveOut(ctx)
}

// down ends the named parts, while the others run on. The balancer leaves an instance out before it ends.
func (f *Fleet) down(ctx context.Context, a Action, progress Progress) error {
	chosen, err := f.choose(a.Names, func(*part) bool { return false })
	if err != nil {
		return err
	}
	for _, p := range chosen {
		p.leftOut.Store(true)
	}
	if err := f.leaveOut(ctx); err != nil { // then it finds out by itself
		f.Note("%v", err)
	}
	for _, p := range chosen {
		begun := time.Now()
		p.letGo()
		switch err := p.stop(); {
		case err != nil:
			progress(fmt.Sprintf("%s is down after %v: %v", p.name, since(begun), err))
		default:
			progress(fmt.Sprintf("%s is down after %v", p.name, since(begun)))
		}
	}
	return nil
}
