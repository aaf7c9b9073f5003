// Package serve is how a process of the application takes requests, whatever they ask for: it accepts, tracks
// connections, bounds them, signs and counts answers, and ends without losing a request. It owns all grace
// periods of the server.
//
//	listen.go       the socket: inherited, or bound here
//	limits.go       what one connection may cost
//	connections.go  which are open, and since when they are idle
//	drain.go        the end
//	grace.go        how long whoever ends something waits
package serve

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/server/scoreboard"
	"balanceo/topology/layout"
)

// RouteHealth is asked by whoever wants to know whether the process serves. Like the metrics it is never delayed.
const RouteHealth = scoreboard.RouteHealth

// Config is what a Server is made of.
type Config struct {
	Listener net.Listener
	Slot     *scoreboard.Slot
	Handler  fasthttp.RequestHandler
	Instance string                // what answers say in the header X-Instance; "": the port
	Delay    func() time.Duration  // by how much answers are late on purpose, asked at each request
	Metrics  func(b []byte) []byte // appends metrics beside the scoreboard's; may be nil
}

// Server is what accepts and answers.
type Server struct {
	cfg      Config
	fast     *fasthttp.Server
	ln       net.Listener
	conns    *connections
	draining chan struct{}
	failed   chan error // how accepting has ended
	beating  sync.WaitGroup
	stopBeat chan struct{}
}

// New makes a server that does not accept yet.
func New(cfg Config) *Server {
	s := &Server{
		cfg: cfg, conns: newConnections(cfg.Slot.AddOpen),
		draining: make(chan struct{}), stopBeat: make(chan struct{}), failed: make(chan error, 1),
	}
	s.ln = &trackedListener{Listener: cfg.Listener, connections: s.conns}
	who := newIdentity(cfg.Instance, cfg.Listener.Addr())
	handler := s.countable(s.byName(cfg.Slot.Counting(delayed(cfg.Delay, cfg.Handler), cfg.Metrics)))
	s.fast = Limited(s.closingWhenDraining(who.signed(handler)))
	s.fast.ConnState = changeState
	s.fast.Logger = slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)
	s.fast.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) {
		if unasked(ctx.Conn()) {
			_ = ctx.Conn().Close() // an answer would be taken for that of the first request
			return
		}
		answerUnreadable(ctx, err)
		who.sign(ctx)
		cfg.Slot.CountOther(ctx.Response.StatusCode())
	}
	return s
}

// Start begins to accept.
func (s *Server) Start() {
	go func() { s.failed <- s.fast.Serve(s.ln) }()
	s.beating.Go(s.beat)
}

// Failed gives how accepting has ended, if not by Drain.
func (s *Server) Failed() <-chan error { return s.failed }

// Connections is how many are open.
func (s *Server) Connections() int { return s.conns.count() }

// beat tells the master that requests are answered here, as long as they are: each time the handler is asked for
// its health, past the counting.
func (s *Server) beat() {
	tick := time.NewTicker(BeatPeriod)
	defer tick.Stop()
	for {
		answered := make(chan struct{})
		go func() { // waited for below, unless the handler hangs: then the master ends the process
			defer close(answered)
			var ctx fasthttp.RequestCtx
			ctx.Init(&fasthttp.Request{}, nil, nil)
			ctx.Request.SetRequestURI(RouteHealth)
			s.cfg.Handler(&ctx)
		}()
		select {
		case <-answered:
			s.cfg.Slot.Beat()
		case <-s.stopBeat:
			return
		}
		select {
		case <-tick.C:
		case <-s.stopBeat:
			return
		}
	}
}

// identity says in every answer which process gave it.
type identity struct {
	instanceHeader, instance []byte
	workerHeader, worker     []byte
}

func newIdentity(instance string, addr net.Addr) identity {
	if instance == "" {
		_, instance, _ = net.SplitHostPort(addr.String())
	}
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

// byName answers what is for those who watch the process only where it is asked for by exactly its name: so it is what
// balancers in front refuse, and most of them would let another way of writing it, as "//metrics", through.
func (s *Server) byName(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.Path()) {
		case RouteHealth, scoreboard.RouteMetrics:
			if asked, _, _ := bytes.Cut(ctx.RequestURI(), []byte("?")); !bytes.Equal(asked, ctx.Path()) {
				answerPlainly(ctx, fasthttp.StatusNotFound)
				s.cfg.Slot.CountOther(fasthttp.StatusNotFound)
				return
			}
		}
		next(ctx)
	}
}

// delayed makes every answer but those about the process's health late by what delay says.
func delayed(delay func() time.Duration, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if d := delay(); d > 0 && string(ctx.Path()) != RouteHealth {
			pause(d)
		}
		next(ctx)
	}
}

func pause(d time.Duration) {
	if d < 2*time.Millisecond { // the runtime sleeps for whole milliseconds on an idle processor
		for begin := time.Now(); time.Since(begin) < d; {
			runtime.Gosched()
		}
		return
	}
	time.Sleep(d)
}

// unasked tells whether a connection ended or was given up before anything of a request had come, as with one that a
// balancer opened to spare.
func unasked(conn net.Conn) bool {
	c, ok := conn.(*trackedConn)
	return ok && c.idle.Load() != busy
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
	answerPlainly(ctx, status)
	ctx.SetConnectionClose()
	if conn := ctx.Conn(); conn != nil { // fasthttp leaves it with the time of the answer before, which a kept connection may have outlived
		_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
}

// answerPlainly answers with what the status means.
func answerPlainly(ctx *fasthttp.RequestCtx, status int) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.Response.SetBodyString(fasthttp.StatusMessage(status) + "\n")
}
