package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// Sink takes the hits of one goroutine, one after the other. It must not keep the Hit.
type Sink interface{ Add(h *tally.Hit) }

// Engine is what sends.
type Engine string

// The engines: ours, and vegeta's Attacker with net/http's client.
const (
	Fast   Engine = "fast"
	Vegeta Engine = "vegeta"
)

// Config is one attack.
type Config struct {
	Target      Target
	Requests    []Request
	At          func(n uint64) int // index into Requests of hit n; called from many goroutines
	Schedule    pace.Schedule
	Engine      Engine        // empty: Fast where Config.Fast finds no reason against it
	Workers     int           // most requests under way at once, which is most connections but with HTTP/2
	InTurn      bool          // all Workers connections are opened and used in turn, and not as few as are needed
	NoKeepAlive bool          // a connection for each request
	Timeout     time.Duration // of one request, connecting included
	UserAgent   string        // warm-up requests add tally.WarmupSuffix
	RequestID   string        // each hit has the header X-Request-Id with this, a dash and its number; empty: none
	Expect      Expect
	By          By // how answers tell who gave them
	Client      Client
	Sink        func() Sink   // makes the sink of one goroutine
	StartAt     time.Time     // time 0; zero: at once
	Drain       time.Duration // how long requests under way may take once ctx is done
}

// Client is how connections are made. All but UnixSocket and Resolve needs the engine vegeta.
type Client struct {
	TLS        *tls.Config // nil: the system's authorities
	HTTP2      bool
	UnixSocket string            // path of the socket to connect to, whatever the target's address
	Resolve    map[string]string // HOST:PORT to the address to connect to instead
	Redirects  int               // how many are followed
	Proxy      *url.URL
}

// Fast tells why the attack can't be sent by the engine Fast; nil: it can.
func (c *Config) Fast() error {
	switch {
	case !fastHere:
		return errors.New("this system has no epoll")
	case c.Target.TLS:
		return errors.New("it does without TLS")
	case c.Client.HTTP2, c.Client.Redirects > 0, c.Client.Proxy != nil:
		return errors.New("it does without HTTP/2, redirects and proxies")
	}
	for _, r := range c.Requests {
		if u, whole := r.Whole(); whole && (u.Host != c.Target.Host || u.Scheme != "http") {
			return fmt.Errorf("it has one target, and %q is another", u.Scheme+"://"+u.Host)
		}
	}
	return nil
}

// wantsText tells whether bodies are looked into.
func (c *Config) wantsText() bool { return c.Expect.Body != "" || c.By.text() }

// resolved is where to connect to.
func (c *Config) resolved() (host string, port int, err error) {
	addr := c.Target.Addr
	if other, ok := c.Client.Resolve[addr]; ok {
		addr = other
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w", addr, err)
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// Outcome is what an attack tells beside its hits.
type Outcome struct {
	Engine   Engine
	Began    time.Time     // time 0 of all hits
	Measured time.Duration // length of the part after the warm-up: shorter than asked if it was ended early
	Partial  bool          // it was ended early
	Nobody   bool          // it was given up as no request reached the target
	Resent   int64         // requests sent again as a kept connection turned out to have been closed
	Unasked  int64         // answers after which the server sent more on the connection; told by Fast only
	Late     int64         // hits sent so long after the end of the schedule that they don't count as sent in time
	LastSent time.Duration // when the last hit was sent
	Grid     time.Duration // how late this machine's timers are: hits due closer to each other may leave together
	CPU      time.Duration // processor time of this process in the measured part
	MaxRSS   int64         // its greatest resident size, in bytes
}

// Hits that come due at the end of a schedule are not to be lost to a stall that is not over by then: they
// are sent up to lateGrace after the end, and no longer, as a server that can't keep up would make the attack
// endless. Those sent more than onTime after the end, which is more than a timer is late, are Late.
const (
	lateGrace = 2 * time.Second
	onTime    = 100 * time.Millisecond
)

// keepIdle is how long a connection is kept that a short burst needed and nothing since.
const keepIdle = 15 * time.Second

// What ends a request from our side.
var (
	errTimeout     = os.ErrDeadlineExceeded
	errInterrupted = context.Canceled
)

// Run attacks until the schedule is over, ctx is done, or nobody was reached for too long, and returns when the
// last request under way has ended.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	if len(cfg.Requests) == 0 || cfg.Sink == nil {
		return Outcome{}, errors.New("attack: no sink or no requests")
	}
	if !cfg.StartAt.IsZero() && time.Until(cfg.StartAt) < 0 {
		return Outcome{}, fmt.Errorf("the time to start, %s, is over", cfg.StartAt.Format(time.RFC3339))
	}
	a := &attack{cfg: &cfg, requests: make([]wire, len(cfg.Requests)), begun: make(chan struct{})}
	var err error
	for i, r := range cfg.Requests {
		if a.requests[i], err = cfg.encode(r); err != nil {
			return Outcome{}, err
		}
	}
	if cfg.Engine == "" {
		cfg.Engine = Vegeta
		if cfg.Fast() == nil {
			cfg.Engine = Fast
		}
	}
	shards, undo := tune(&cfg)
	defer undo()
	abort, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	a.abort = abort
	finished := make(chan struct{})
	var guard sync.WaitGroup
	guard.Go(func() { a.guard(ctx, finished, cancel) })
	if cfg.Engine == Fast {
		err = a.runFast(abort, shards)
	} else {
		err = a.runVegeta()
	}
	close(finished)
	guard.Wait()
	a.conclude()
	return a.out, err
}

// attack is what the goroutines of a running attack share.
type attack struct {
	cfg      *Config
	requests []wire
	zero     time.Time
	begun    chan struct{} // closed once zero is known
	abort    context.Context

	stopped, aborted atomic.Bool   // send no more; wait for no more
	any, reached     atomic.Bool   // a hit has ended; one has reached the target
	claimed          atomic.Uint64 // hits of a schedule without a pace
	measuring        time.Duration // processor time used when the warm-up was over
	endedAt          time.Duration // when it was ended early
	out              Outcome
}

func (a *attack) now() time.Duration { return time.Since(a.zero) }

// start waits for the time to start, which is time 0.
func (a *attack) start() {
	defer close(a.begun)
	a.zero = time.Now()
	if !a.cfg.StartAt.IsZero() {
		a.zero = a.zero.Add(time.Until(a.cfg.StartAt)) // has a monotonic reading, too
		time.Sleep(-time.Since(a.zero))
	}
}

// count passes a hit on.
func (a *attack) count(sink Sink, h *tally.Hit) {
	if h.Err.Reached() && !a.reached.Load() {
		a.reached.Store(true)
	}
	if !a.any.Load() {
		a.any.Store(true)
	}
	sink.Add(h)
}

// claim tells whether one more hit may be sent where no pace says how many there are.
func (a *attack) claim(now time.Duration) bool {
	s := &a.cfg.Schedule
	return s.Paced() || s.Limit == 0 || now < s.Warmup || a.claimed.Add(1) <= s.Limit
}

func (a *attack) conclude() {
	s := &a.cfg.Schedule
	a.out.Engine, a.out.Began, a.out.Measured = a.cfg.Engine, a.zero, s.Duration
	if !s.Paced() && s.Limit > 0 && a.claimed.Load() >= s.Limit {
		a.out.Measured = max(a.now()-s.Warmup, 1)
	}
	if a.endedAt > 0 && a.endedAt < s.End() {
		a.out.Partial = true
		a.out.Measured = max(0, a.endedAt-s.Warmup)
	}
	cpu, rss := Used()
	a.out.CPU, a.out.MaxRSS = cpu-a.measuring, rss
}

// slack is how late this machine's timers are: hits that are due closer to each other may leave together.
func slack(wait func(time.Duration)) time.Duration {
	var late []time.Duration
	for range 9 {
		const d = 200 * time.Microsecond
		began := time.Now()
		wait(d)
		late = append(late, time.Since(began)-d)
	}
	slices.Sort(late)
	return max(late[len(late)/2], 0)
}

// redirects is http.Client.CheckRedirect.
func (c *Client) redirects(_ *http.Request, via []*http.Request) error {
	if len(via) > c.Redirects {
		return http.ErrUseLastResponse
	}
	return nil
}
