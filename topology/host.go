package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"balanceo/topology/cli"
	"balanceo/topology/control"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/ports"
	"balanceo/topology/status"
)

// host keeps one layout and lets commands act on it.
type host struct {
	*fleet.Fleet
	state     layout.State
	started   time.Time
	collector *status.Collector

	end     func()        // wants the layout down
	stopped chan struct{} // closed when it is
	killed  error         // what had to be killed; read after stopped

	mu        sync.Mutex
	watchNews string // what --watch did last
}

var errTakenDown = errors.New("the layout is taken down")

// readyFunc is called once a layout is up, with what is broken. Its context ends when the layout is to.
type readyFunc func(ctx context.Context, h *host, broken []error) error

// serve starts the layout of p and keeps it until ctx is done or a command takes it down. If ready returns an
// error, the layout is taken down. Nothing of the layout is left when serve returns.
func serve(ctx context.Context, p *plan, ready readyFunc) error {
	release, err := lock(ctx, p.Dir)
	if err != nil {
		return err
	}
	defer release()
	if err := freshFolder(p.Dir); err != nil {
		return err
	}
	f, err := fleet.New(ctx, p.Config)
	if err != nil {
		return inTheWay(err, p)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &host{
		Fleet: f, state: f.State(), started: time.Now(), collector: status.NewCollector(f.Groups),
		end: func() { cancel(errTakenDown) }, stopped: make(chan struct{}),
	}
	endControl, err := h.control(ctx)
	if err != nil {
		f.Close()
		return err
	}
	defer endControl()

	broken, err := h.Start(ctx)
	if err == nil {
		err = ready(ctx, h, broken)
	}
	if err == nil {
		endWatch := h.watch(ctx, p.watchRoot, p.Server)
		<-ctx.Done()
		endWatch()
	}
	h.killed = h.Stop()
	err = errors.Join(err, h.state.Remove())
	close(h.stopped)
	if err == nil {
		err = h.killed
	}
	return err
}

// lock takes the folder of the layout. Who looks whether it is taken takes it for a moment, too.
func lock(ctx context.Context, dir string) (release func(), err error) {
	for patience := time.Now().Add(time.Second); ; {
		release, err := control.Lock(dir)
		switch {
		case err == nil:
			return release, nil
		case !errors.Is(err, control.ErrLocked):
			return nil, err
		case time.Now().After(patience):
			return nil, cli.Hint(err, "a layout is being started or taken down there; topology status tells")
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// control makes the layout known and begins to answer commands.
func (h *host) control(ctx context.Context) (end func(), err error) {
	h.state.Control = control.SocketPath(h.state.Dir)
	ln, err := control.Listen(h.state.Control)
	if err != nil {
		return nil, err
	}
	if err := h.state.Write(); err != nil {
		_ = ln.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // to the end of the layout
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := control.Serve(ctx, ln, h); err != nil {
			h.Note("%v", err)
		}
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// freshFolder removes what an earlier layout counted and wrote, so that this one begins at zero. Logs and
// database stay.
func freshFolder(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "scoreboard")); err != nil {
		return fmt.Errorf("folder of the layout: %w", err)
	}
	for _, name := range []string{"access.log", "error.log"} {
		path := filepath.Join(dir, "nginx", name)
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("folder of the layout: %w", err)
		}
	}
	return nil
}

// inTheWay adds to an error about a port what can be done about it.
func inTheWay(err error, p *plan) error {
	var denied *ports.DeniedError
	if errors.As(err, &denied) && denied.Port != p.Layout.HTTPPort {
		return cli.Hint(err, "--base-port moves the instances to ports from 1024 on")
	}
	if errors.As(err, &denied) {
		return cli.Hint(err, "HTTP_PORT=8000 make topology, or topology up --http-port 8000")
	}
	var taken *ports.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	states, listErr := layout.Running(p.runDir)
	if listErr != nil {
		return err
	}
	for _, s := range states {
		_, its := s.Find(strconv.Itoa(taken.Port))
		if its || s.HTTPPort == taken.Port {
			return cli.Hint(fmt.Errorf("port %d belongs to layout %s, which runs on :%d (pid %d)",
				taken.Port, s.Layout, s.HTTPPort, s.PID),
				"topology down --http-port %d ends it; --http-port and --base-port put another beside it", s.HTTPPort)
		}
	}
	flag := "--base-port"
	if taken.Port == p.Layout.HTTPPort {
		flag = "--http-port"
	}
	if taken.Holder.PID == 0 {
		return cli.Hint(err, "%s moves the layout to other ports, --free-ports finds some", flag)
	}
	return cli.Hint(err, "end it (kill %d), or move the layout with %s or --free-ports", taken.Holder.PID, flag)
}

// Status implements control.Host.
func (h *host) Status(ctx context.Context) (*status.Snapshot, error) {
	parts, err := h.collector.Collect(ctx, h.Targets())
	if err != nil {
		return nil, err
	}
	return &status.Snapshot{
		Layout: h.state.Layout, HTTPPort: h.state.HTTPPort, Dir: h.state.Dir, PID: h.state.PID,
		Started: h.started, At: time.Now(), NginxConf: h.state.NginxConf, MongoURL: h.state.MongoURL,
		Watch: h.lastWatched(), Parts: parts,
	}, nil
}

// Down implements control.Host.
func (h *host) Down(ctx context.Context, names []string, progress fleet.Progress) error {
	if len(names) > 0 {
		return h.Fleet.Down(ctx, names, progress)
	}
	h.end()
	select {
	case <-h.stopped:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if h.killed != nil {
		progress(h.killed.Error())
	}
	progress(fmt.Sprintf("layout %s on :%d is down", h.state.Layout, h.state.HTTPPort))
	return nil
}
