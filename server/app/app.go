// Package app is the web application: its routes and handlers, the sessions of its users, the pages and the
// websocket hub. It reads no flag and no environment: everything it needs comes in a Config.
//
// A request takes this way: the handler catches panics and adds the security headers; the router finds the route;
// the handler answers from bytes that were rendered when the App was made wherever it can. Only what belongs
// to a user asks the store, and never longer than dbBudget: a database that is gone costs the pages that need
// it a 503, and the others nothing.
package app

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/singleflight"

	"balanceo/server/store"
)

// Defaults of Config.
const (
	DefaultSessionLife = 10 * time.Minute
	DefaultCant        = 1_000_000
	DefaultCantMax     = 1_000_000_000
)

// Config is what one process of the application is made of.
type Config struct {
	Instance string   // its name, as its pages show it; empty: the port
	Mode     string   // FORK or CLUSTER, as /info shows it
	Port     int      // as /info shows it
	Args     []string // the command line without the program's name, as /info shows it, without passwords

	Draw  DrawFunc     // nil: /api/randoms answers 503
	Store *store.Store // nil: routes that need the database answer 503; it need not be reachable

	SessionLife time.Duration // life of an unused session; 0: DefaultSessionLife
	CantDefault int64         // numbers drawn without a usable cant; 0: DefaultCant
	CantMax     int64         // most numbers drawn; 0: DefaultCantMax

	Proxies []netip.Prefix // networks of proxies whose X-Real-IP and X-Forwarded-Proto count, beside this machine's own

	hasher *hasher // nil: one of passwordCost; tests bring a cheaper one
}

func (c *Config) setDefaults() {
	if c.Instance == "" {
		c.Instance = strconv.Itoa(c.Port)
	}
	if c.SessionLife == 0 {
		c.SessionLife = DefaultSessionLife
	}
	if c.CantDefault == 0 {
		c.CantDefault = DefaultCant
	}
	if c.CantMax == 0 {
		c.CantMax = DefaultCantMax
	}
}

func (c *Config) validate() error {
	switch {
	case c.SessionLife < 0:
		return fmt.Errorf("app: session life %v is negative", c.SessionLife)
	case c.CantDefault < 0 || c.CantMax < c.CantDefault:
		return fmt.Errorf("app: numbers drawn by default (%d) must lie between 1 and the most allowed (%d)", c.CantDefault, c.CantMax)
	}
	return nil
}

// App is the application of one process. Its methods may be called from any goroutine.
type App struct {
	cfg      Config
	pages    *pages
	info     *info
	sessions *sessions
	hasher   *hasher
	guesses  guesses
	signups  singleflight.Group // by e-mail
	hub      *hub
	guard    guard
	upgrader *websocket.Upgrader
	handler  fasthttp.RequestHandler
	draining atomic.Bool
}

// New makes the application. It renders the pages and does not wait for the database.
func New(_ context.Context, cfg Config) (*App, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p, err := renderPages(identity{cfg.Instance, os.Getpid()})
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	in, err := gatherInfo(cfg, p)
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	s, err := newSessions(cfg.Store, cfg.SessionLife)
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	if cfg.hasher == nil {
		cfg.hasher = newHasher()
	}
	a := &App{
		cfg: cfg, pages: p, info: in, sessions: s,
		hasher: cfg.hasher, guesses: guesses{cfg.Store}, upgrader: newUpgrader(),
	}
	a.hub = newHub(cfg.Store, &a.guard, p.who)
	a.handler = a.guard.around(trusting(cfg.Proxies, a.routes()), p.failure)
	return a, nil
}

// Handler serves every route.
func (a *App) Handler() fasthttp.RequestHandler { return a.handler }

// Close says goodbye to every websocket (status 1012, "service restart": the page connects again, to another
// worker) and waits until they are gone. Requests that are being answered are not touched; /healthz says from
// now on that this process is going. The store is the caller's to close, afterwards.
func (a *App) Close(ctx context.Context) error {
	a.draining.Store(true)
	if err := a.hub.close(ctx); err != nil {
		return fmt.Errorf("app: closing websockets: %w", err)
	}
	return nil
}
