package reconcile

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/counts"
	"balanceo/topology/layout"
	"balanceo/topology/ledger"
)

// Config says what to watch.
type Config struct {
	Agent  string           // user agent of the run's requests
	Warmup time.Duration    // of the attack that is about to begin
	Nginx  *balancer.Config // nil: none was found
	State  *layout.State    // of the running layout; nil: not ours
	Part   bool             // other generators send parts of the same load
}

// Watch is the look at nginx and the servers while an attack lasts. Finish ends it.
type Watch struct {
	cfg    Config
	log    accessLog // nil: not readable
	logErr error
	noLog  string // why there is none that could be read, as sentences
	count  *logCount
	asker  *counts.Client
	addrs  []string // of the servers to ask
	before reading
	began  time.Time
	ended  time.Time
	usage  *sampler
	epoch  string         // of the ledger
	ledger *ledger.Counts // the last that it said; nil: there is none
	asked  *asked
}

// Outcome is what was learnt.
type Outcome struct {
	Reconciliation run.Reconciliation
	Servers        *run.Servers // nil: the processes are not known or can't be looked at
	Foreign        map[string]distribution.Foreign
	LogRead        bool
	Restarted      []distribution.Restart
	Warnings       []string // what throws doubt on the run
	Notes          []string // what could not be read, and why
}

// Begin starts to watch. What can't be read is no error: it is missing from the Outcome, which says so.
func Begin(ctx context.Context, cfg Config) *Watch {
	w := &Watch{cfg: cfg, asker: counts.NewClient(scrapeTimeout), began: time.Now()}
	switch {
	case cfg.Nginx == nil:
	case cfg.Nginx.Ledger != "":
		w.openLedger(ctx)
	case cfg.Nginx.AccessLog == "":
		w.noLog = cfg.Nginx.File + " names none whose lines are JSON." + paste(cfg)
	default:
		if log, err := openLog(cfg.Nginx.AccessLog); err != nil {
			w.logErr = err
		} else {
			w.log = log
		}
	}
	w.count = newLogCount(cfg.Agent, w.began)
	w.addrs = serverAddrs(cfg)
	w.before = w.counted(ctx)
	w.count.asked = w.before.span
	w.asked = ask(ctx, cfg.State)
	w.usage = startSampler(cfg.State, cfg.Warmup)
	return w
}

// scrapeTimeout bounds one question for what a server has counted.
const scrapeTimeout = 2 * time.Second

// told is what a server says of itself: how many requests it has answered, how many of these became websockets, which the log
// has when they close, and its processes.
type told struct {
	requests, upgrades int64
	processes          map[int]counts.Process
}

// counted is what each server says that it has counted. Those that do not tell are missing.
func (w *Watch) counted(ctx context.Context) reading {
	a := reading{span: span{from: time.Now()}, servers: map[string]told{}}
	if w.cfg.Nginx != nil && w.cfg.Nginx.Ledger != "" {
		for addr, n := range w.countedByLedger(ctx) {
			a.servers[addr] = told{requests: n}
		}
	} else {
		for addr, c := range w.asker.Ask(ctx, w.addrs) {
			a.servers[addr] = told{int64(c.Requests), int64(c.Upgrades), c.Processes}
		}
	}
	a.to = time.Now()
	return a
}

// serverAddrs are the servers that may be asked: those of the layout, and those of nginx on this machine.
func serverAddrs(cfg Config) []string {
	var out []string
	if cfg.Nginx != nil && cfg.Nginx.Ledger != "" {
		for _, s := range named(cfg.Nginx) {
			out = append(out, countedAs(cfg.Nginx, s))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if cfg.Nginx != nil {
		for _, g := range cfg.Nginx.Groups {
			for _, s := range g.Servers {
				if local(s.Addr) {
					out = append(out, s.Addr)
				}
			}
		}
	}
	if cfg.State != nil {
		for _, i := range cfg.State.Instances {
			out = append(out, net.JoinHostPort("127.0.0.1", strconv.Itoa(i.Port)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// local tells whether addr is on this machine's loopback: others are not asked unless they are known to be ours.
func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// wait calls look until it is done or fails, its progress has stood still for as long as quiet, or time is up.
func wait(ctx context.Context, look func() (progress int64, done bool, err error)) error {
	limit := time.Now().Add(catchUp)
	var most int64
	changed := time.Now()
	for delay := poll; ; delay = min(2*delay, 10*poll) {
		progress, done, err := look()
		if progress > most {
			most, changed = progress, time.Now()
		}
		if err != nil || done || time.Since(changed) > quiet || time.Now().After(limit) {
			return err
		}
		if !pause(ctx, delay) {
			return nil
		}
	}
}

// pause waits for d; false if ctx is done before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
