// Package ui is the live page of a running layout: a picture of the requests that go through the balancer, what each
// server got beside what it was to get, a timeline, a verdict, and hands to break and mend things.
//
// It knows the layout by what every command knows of it, its control socket, and it counts what the balancer's access
// log says, so that the requests of browsers and of other clients count, too:
//
//   - request.go reads a line of the log: which servers were tried, which one answered, how long it took.
//   - counts.go adds lines up by second and server, and keeps five minutes of that.
//   - judge.go says whether the shares are what the balancer has promised, by the code that judges runs of loadgen.
//   - compare.go sets the lines of the log against what the servers have counted themselves.
//   - feed.go follows the log and the events, tell.go looks at the layout's status and tells the pages four times a
//     second what is new; update.go is the form of that.
//   - runs.go sees in the log when a loadgen begins and ends that somebody else runs.
//   - load.go runs loadgen for those who have no client of their own at hand.
//   - http.go and guard.go answer browsers, and only those that are meant.
//
// The folder page holds what the browser gets, the folder lessons the lessons, as data.
package ui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/ports"
	"balanceo/topology/status"
)

// DefaultAddr is where the page is unless it is told otherwise.
const DefaultAddr = "127.0.0.1:8089"

// Keeper is the layout that the page shows and acts on; control.Client is one.
type Keeper interface {
	// Status tells how the layout is; sockets: with the connections of parts that don't count them themselves, too.
	Status(ctx context.Context, sockets bool) (*status.Snapshot, error)
	// Do carries out an action, tells line what is done, and returns when all is.
	Do(ctx context.Context, a fleet.Action, line func(string)) error
	// Events calls visit with what has happened after the event of that number and with what happens from now
	// on, until ctx is done or the layout is down.
	Events(ctx context.Context, after int, visit func(fleet.Event)) error
}

// Config is what a page shows and may do.
type Config struct {
	Keeper  Keeper
	State   layout.State
	Loadgen string // path of loadgen; empty: the page sends no load
	Load    *Load  // to begin with; nil: none
	RunDir  string // the folder of the running layouts, for loadgen
	// Log is told what people do. Nil: nobody is.
	Log func(text string)
}

// Page is an address at which a page is served.
type Page struct {
	ln    net.Listener
	guard *guard
}

// Listen takes the page's address: HOST:PORT, or a port of this machine alone. A port of 0 takes a free one. Serve
// answers there, or Close gives it back.
func Listen(addr string) (*Page, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = "", addr
	}
	host = cmp.Or(host, "127.0.0.1")
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return nil, fmt.Errorf("%q is no address; accepted is HOST:PORT, for example %s", addr, DefaultAddr)
	}
	ln, err := ports.Listen(host, n)
	if err != nil {
		return nil, err
	}
	g, err := newGuard(ln.Addr())
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &Page{ln, g}, nil
}

// Close gives the address back, when Serve is not to be called.
func (p *Page) Close() error { return p.ln.Close() }

// URL is what to open in a browser; for an address beyond this machine it has the token.
func (p *Page) URL() string { return p.guard.url() }

// server is one page that is served.
type server struct {
	cfg  Config
	feed *feed
	load *loader
}

// Serve answers browsers until ctx is done or the layout is down. Nothing goes on when it returns.
func (p *Page) Serve(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	s := &server{cfg: cfg, load: &loader{path: cfg.Loadgen, port: cfg.State.HTTPPort, runDir: cfg.RunDir, out: cfg.State.Dir}}
	s.feed = newFeed(cfg, s.load)
	s.load.told = s.feed.note
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	web := &http.Server{
		Handler: p.guard.protect(s.routes()), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // who listens to the feed goes when it ends
	}
	fed, served := make(chan error, 1), make(chan error, 1)
	go func() {
		fed <- s.feed.run(ctx)
		cancel()
	}()
	go func() {
		served <- web.Serve(p.ln)
		cancel()
	}()
	var err error
	if cfg.Load != nil {
		err = s.load.start(*cfg.Load, "command line") //nolint:contextcheck // it is ended below
	}
	if err == nil {
		<-ctx.Done()
	}
	cancel()
	last, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	if web.Shutdown(last) != nil {
		_ = web.Close()
	}
	s.load.close()
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("live page: %w", end))
	}
	return errors.Join(err, <-fed)
}
