// Package keeper keeps one running layout: its folder, which no second topology may have, its fleet, what has
// happened in it, and the control socket by which commands act on it. It also watches the sources, where that is
// asked for, and reloads what they change.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"balanceo/topology/control"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/lock"
	"balanceo/topology/status"
)

// Config is what a Keeper is made of.
type Config struct {
	fleet.Config
	Page      string // URL of the live page, for the state; empty: there is none
	WatchRoot string // folder of the module whose sources are watched; empty: none are
}

// Keeper keeps one layout and lets commands act on it.
type Keeper struct {
	cfg       Config
	fleet     *fleet.Fleet
	lock      *lock.File
	state     layout.State
	started   time.Time
	collector *status.Collector
	journal   *journal
	disk      disk
	watch     *watcher // nil: nothing is watched

	end     context.CancelCauseFunc // wants the layout down
	stopped chan struct{}           // closed when it is
	killed  error                   // what had to be killed; read after stopped
}

var errTakenDown = errors.New("the layout is taken down")

// lockWait is how long a folder may be taken by somebody else: who looks whether it is takes it for a moment, too.
const lockWait = time.Second

// New takes the folder of the layout and its ports; a folder that another topology has is lock.ErrHeld.
func New(ctx context.Context, cfg Config) (*Keeper, error) {
	err := os.MkdirAll(cfg.Dir, 0o700)
	if err == nil {
		err = os.Chmod(cfg.Dir, 0o700) // also one of an earlier version
	}
	if err != nil {
		return nil, fmt.Errorf("folder of the layout: %w", err)
	}
	held, err := lock.Wait(ctx, filepath.Join(cfg.Dir, "lock"), lockWait)
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, lock: held, started: time.Now(), journal: newJournal(), disk: disk{dir: cfg.Dir}, stopped: make(chan struct{})}
	told := cfg.Event
	k.cfg.Event = func(e fleet.Event) {
		k.journal.add(e)
		if told != nil {
			told(e)
		}
	}
	if err := freshFolder(cfg.Dir, cfg.Balancer.Name()); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	if k.fleet, err = fleet.New(ctx, k.cfg.Config); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	if cfg.WatchRoot != "" {
		k.watch = &watcher{keeper: k, root: cfg.WatchRoot}
	}
	k.state, k.collector = k.fleet.State(), status.NewCollector(k.fleet.Groups)
	k.state.Page = cfg.Page
	return k, nil
}

// Run starts the layout and keeps it until ctx is done or a command takes it down. Once it is up, ready is called,
// with what is broken and a context that ends when the layout is to; if that returns an error, the layout is taken
// down. Nothing of the layout is left when Run returns.
func (k *Keeper) Run(ctx context.Context, ready func(ctx context.Context, broken []error) error) error {
	defer func() { _ = k.lock.Close() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k.end = cancel
	endControl, err := k.control(ctx)
	if err != nil {
		k.fleet.Close()
		return err
	}
	defer endControl()
	endLooking := beside(context.WithoutCancel(ctx), func(ctx context.Context) { k.disk.watch(ctx, k.fleet.Note) })
	defer endLooking()

	broken, err := k.fleet.Start(ctx)
	if err == nil {
		err = ready(ctx, broken)
	}
	if err == nil {
		endWatch := k.startWatch(ctx)
		<-ctx.Done()
		endWatch()
	}
	k.killed = k.fleet.Stop()
	err = errors.Join(err, k.state.Remove())
	close(k.stopped)
	if err == nil {
		err = k.killed
	}
	return err
}

// Note adds a line to what happened.
func (k *Keeper) Note(text string) { k.fleet.Note("%s", text) }

// State is what the layout tells about itself, once Run has begun.
func (k *Keeper) State() layout.State { return k.state }

// TakeDown ends Run.
func (k *Keeper) TakeDown() { k.end(errTakenDown) }

// control makes the layout known and begins to answer commands.
func (k *Keeper) control(ctx context.Context) (end func(), err error) {
	k.state.Control = control.SocketPath(k.state.Dir)
	ln, err := control.Listen(k.state.Control)
	if err != nil {
		return nil, err
	}
	if err := k.state.Write(); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return beside(context.WithoutCancel(ctx), func(ctx context.Context) { // to the end of the layout
		if err := control.Serve(ctx, ln, k); err != nil {
			k.fleet.Note("%v", err)
		}
	}), nil
}

// beside runs a task until end is called, which returns when the task has.
func beside(ctx context.Context, task func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { task(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// freshFolder removes what an earlier layout counted and wrote, so that this one begins at zero. Logs and
// database stay.
func freshFolder(dir, balancer string) error {
	for _, name := range []string{"scoreboard", builtFolder} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("folder of the layout: %w", err)
		}
	}
	for _, name := range []string{"access.log", "error.log"} {
		path := filepath.Join(dir, balancer, name)
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("folder of the layout: %w", err)
		}
	}
	return nil
}

// Status tells how the layout is, with all connections where sockets are to be looked at.
func (k *Keeper) Status(ctx context.Context, sockets bool) (*status.Snapshot, error) {
	parts, err := k.collector.Collect(ctx, k.fleet.Targets(), sockets)
	if err != nil {
		return nil, err
	}
	return &status.Snapshot{
		Layout: k.state.Layout, HTTPPort: k.state.HTTPPort, Dir: k.state.Dir, PID: k.state.PID,
		Started: k.started, At: time.Now(), NginxConf: k.state.NginxConf, MongoURL: k.state.MongoURL,
		Watch: k.watch.last(), Disk: k.disk.problem(), Parts: parts, Events: k.journal.all(),
	}, nil
}

// Events returns what has happened after the event of that number, and waits until there is something.
func (k *Keeper) Events(ctx context.Context, after int) ([]fleet.Event, error) {
	return k.journal.wait(ctx, after)
}

// Do carries out an action. Down without names ends the layout and returns when nothing of that is left but this
// process itself.
func (k *Keeper) Do(ctx context.Context, a fleet.Action, progress fleet.Progress) error {
	if a.Verb != fleet.Down || len(a.Names) > 0 {
		return k.fleet.Do(ctx, a, progress)
	}
	k.fleet.NoteAction(a)
	k.TakeDown()
	select {
	case <-k.stopped:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if k.killed != nil {
		progress(k.killed.Error())
	}
	progress(fmt.Sprintf("layout %s on :%d is down", k.state.Layout, k.state.HTTPPort))
	return nil
}
