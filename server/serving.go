package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"balanceo/server/app"
	"balanceo/server/scoreboard"
	"balanceo/server/serve"
	"balanceo/server/store"
	"balanceo/topology/supervise"
)

// startOver is how long after it is ready the start of a process is over.
const startOver = 2 * time.Second

var errParentGone = errors.New("the parent process has died")

// serveApp answers requests until ctx ends, and then drains.
func serveApp(ctx context.Context, in *supervise.Inheritance, opts *options) (err error) {
	ln, err := serve.Listen(in, opts.host, opts.port)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }() // closed before, by Drain, unless something fails
	board, err := scoreboard.Open(opts.scoreboard, app.Routes())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, board.Close()) }()
	slot, err := board.Join()
	if err != nil {
		return err
	}
	if !opts.worker { // its master tells for all of them
		defer endTelling(tellLedger(ctx, board))
	}
	draw, err := drawing(opts.randoms, runtime.GOMAXPROCS(0), slot)
	if err != nil {
		return err
	}
	db, closeStore, err := openStore(ctx, opts.mongoURL)
	if err != nil {
		if ctx.Err() != nil { // told to end meanwhile
			return nil
		}
		return err
	}
	// What ends the process has ended ctx, too.
	ending := context.WithoutCancel(ctx)
	defer closeStore(ending)

	application, err := app.New(ending, app.Config{
		Instance: opts.instance, Mode: string(opts.mode), Port: ln.Addr().(*net.TCPAddr).Port, Args: opts.args,
		Draw: draw, Store: db,
		Proxies: opts.proxies, SessionLife: opts.sessionLife, CantDefault: opts.cantDefault, CantMax: opts.cantMax,
	})
	if err != nil {
		return err
	}
	server := serve.New(serve.Config{
		Listener: ln, Slot: slot, Handler: application.Handler(), Instance: opts.instance,
		Delay:   func() time.Duration { return max(opts.testDelay, board.Delay()) },
		Metrics: func(b []byte) []byte { return appendOwn(b, db.State()) },
	})
	server.Start()
	if err := in.Notify(); err != nil {
		slog.Error("not reported ready", "error", err)
	}
	defer time.AfterFunc(startOver, shedStart).Stop()
	slog.Info("serving", "address", ln.Addr().String(), "mode", opts.mode, "pid", os.Getpid())

	return serveUntil(ctx, server, application, ln.Addr())
}

// serveUntil returns when ctx has ended and everything is answered, or the server has failed.
func serveUntil(ctx context.Context, server *serve.Server, application *app.App, addr net.Addr) error {
	ending := context.WithoutCancel(ctx)
	select {
	case err := <-server.Failed():
		return errors.Join(fmt.Errorf("serving on %s: %w", addr, err), application.Close(ending))
	case <-ctx.Done():
	}
	slog.Info("draining", "because", context.Cause(ctx), "connections", server.Connections())
	limit := serve.DrainLimit
	if errors.Is(context.Cause(ctx), errParentGone) {
		limit = serve.OrphanLimit
	}
	return server.Drain(ending, limit, application.Close)
}

// appendOwn appends what is known of the database and of this process in the Prometheus text format.
func appendOwn(b []byte, now store.State) []byte {
	b = append(b, "# HELP balanceo_database_state The state of the database: 1 for the one that it is in.\n"+
		"# TYPE balanceo_database_state gauge\n"...)
	for _, state := range []store.State{store.Available, store.Unavailable, store.Refusing} {
		value := 0
		if state == now {
			value = 1
		}
		b = fmt.Appendf(b, "balanceo_database_state{state=%q} %d\n", state, value)
	}
	return fmt.Appendf(b, "# HELP balanceo_goroutines Goroutines of the process that answers.\n# TYPE balanceo_goroutines gauge\n"+
		"balanceo_goroutines %d\n", runtime.NumGoroutine())
}
