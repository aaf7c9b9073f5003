package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/server/app"
	"balanceo/server/cluster"
	"balanceo/server/scoreboard"
	"balanceo/topology/layout"
	"balanceo/topology/supervise"
)

var errParentGone = errors.New("the parent process has died")

// serve answers requests until ctx ends, and then drains.
func serve(ctx context.Context, in *supervise.Inheritance, opts *options) (err error) {
	ln, err := cluster.Listen(in, opts.host, opts.port)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }() // closed before, by drain, unless something fails
	port := ln.Addr().(*net.TCPAddr).Port

	board, err := scoreboard.Open(opts.scoreboard, app.Routes())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, board.Close()) }()
	slot, err := board.Join()
	if err != nil {
		return err
	}
	draw, err := drawer(opts.randoms, runtime.GOMAXPROCS(0), slot)
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
		Mode: string(opts.mode), Port: port, Args: opts.args,
		Draw: draw, Store: db,
		SessionLife: opts.sessionLife, CantDefault: opts.cantDefault, CantMax: opts.cantMax,
	})
	if err != nil {
		return err
	}
	s := newServer(ln, slot, application, opts, port)
	s.start()
	if err := in.Notify(); err != nil {
		slog.Error("not reported ready", "error", err)
	}
	slog.Info("serving", "address", ln.Addr().String(), "mode", opts.mode, "pid", os.Getpid())

	select {
	case err := <-s.served:
		return errors.Join(fmt.Errorf("serving on %s: %w", ln.Addr(), err), application.Close(ending))
	case <-ctx.Done():
	}
	slog.Info("draining", "because", context.Cause(ctx), "connections", s.conns.count())
	limit := drainLimit
	if errors.Is(context.Cause(ctx), errParentGone) {
		limit = orphanLimit
	}
	return s.drain(ending, limit)
}

// server is what accepts and answers.
type server struct {
	fast     *fasthttp.Server
	ln       net.Listener
	conns    *connections
	app      *app.App
	draining chan struct{}
	served   chan error // how accepting has ended
}

func newServer(ln net.Listener, slot *scoreboard.Slot, application *app.App, opts *options, port int) *server {
	instance := opts.instance
	if instance == "" {
		instance = strconv.Itoa(port)
	}
	s := &server{
		app: application, draining: make(chan struct{}), served: make(chan error, 1),
		conns: newConnections(slot.AddOpen),
	}
	s.ln = &trackedListener{Listener: ln, connections: s.conns}
	who := newIdentity(instance)
	handler := delayed(opts.testDelay, application.Handler())
	handler = s.closingWhenDraining(who.signed(slot.Counting(handler, nil)))
	s.fast = app.NewServer(handler)
	s.fast.ConnState = changeState
	s.fast.Logger = slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)
	s.fast.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) {
		answerUnreadable(ctx, err)
		who.sign(ctx)
		slot.CountOther(ctx.Response.StatusCode())
	}
	return s
}

// start begins to accept.
func (s *server) start() {
	go func() { s.served <- s.fast.Serve(s.ln) }()
}

// identity says in every answer which process gave it.
type identity struct {
	instanceHeader, instance []byte
	workerHeader, worker     []byte
}

func newIdentity(instance string) identity {
	return identity{
		instanceHeader: []byte(layout.HeaderInstance), instance: []byte(instance),
		workerHeader: []byte(layout.HeaderWorker), worker: strconv.AppendInt(nil, int64(os.Getpid()), 10),
	}
}

func (id identity) sign(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetCanonical(id.instanceHeader, id.instance)
	h.SetCanonical(id.workerHeader, id.worker)
}

func (id identity) signed(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		next(ctx)
		id.sign(ctx)
	}
}

// delayed makes every answer slower by d: trials of the measuring need a difference that is known.
func delayed(d time.Duration, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	if d == 0 {
		return next
	}
	pause := func() { time.Sleep(d) }
	if d < 2*time.Millisecond { // the runtime sleeps for whole milliseconds on an idle processor
		pause = func() {
			for begin := time.Now(); time.Since(begin) < d; {
				runtime.Gosched()
			}
		}
	}
	return func(ctx *fasthttp.RequestCtx) {
		pause()
		next(ctx)
	}
}

// answerUnreadable answers what could not be read as a request.
func answerUnreadable(ctx *fasthttp.RequestCtx, err error) {
	status := fasthttp.StatusBadRequest
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		status = fasthttp.StatusRequestHeaderFieldsTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		status = fasthttp.StatusRequestEntityTooLarge
	case errors.As(err, &netErr) && netErr.Timeout():
		status = fasthttp.StatusRequestTimeout
	}
	ctx.Response.Reset()
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.Response.SetBodyString(fasthttp.StatusMessage(status) + "\n")
	ctx.SetConnectionClose()
}
