package reconcile

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/balancer/known"
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
	before map[string]told
	began  time.Time
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
	w.asked = ask(ctx, cfg.State)
	w.usage = startSampler(cfg.State, cfg.Warmup)
	return w
}

// scrapeTimeout bounds one question for what a server has counted.
const scrapeTimeout = 2 * time.Second

// told is what a server says of itself: how many requests it has answered, and its processes.
type told struct {
	requests  int64
	processes map[int]counts.Process
}

// counted is what each server says that it has counted. Those that do not tell are missing.
func (w *Watch) counted(ctx context.Context) map[string]told {
	out := map[string]told{}
	if w.cfg.Nginx != nil && w.cfg.Nginx.Ledger != "" {
		for addr, n := range w.countedByLedger(ctx) {
			out[addr] = told{requests: n}
		}
		return out
	}
	for addr, c := range w.asker.Ask(ctx, w.addrs) {
		out[addr] = told{int64(c.Requests), c.Processes}
	}
	return out
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

// How long Finish waits for the log and the servers to catch up. The log of nginx.conf is flushed once a
// second; quiet is somewhat longer than that.
const (
	poll    = 20 * time.Millisecond
	quiet   = 1300 * time.Millisecond
	catchUp = 8 * time.Second
)

// Finish ends the watch after the attack, of which counts are the sums and resent tells how many requests
// were sent a second time.
func (w *Watch) Finish(ctx context.Context, counts tally.Counts, resent int64) Outcome {
	ended := time.Now()
	usage := w.usage.stop(counts.Requests)
	if w.log != nil {
		defer w.log.close()
	}
	out, sure := w.readAndSettle(ctx, counts, resent)
	if w.log != nil && !sure {
		// Lines of others may still lie in the buffer of a worker process that has none of the run's.
		pause(ctx, quiet-time.Since(ended))
		out, _ = w.readAndSettle(ctx, counts, resent)
	}
	out.Servers = usage
	return out
}

// readAndSettle reads and compares; sure tells that waiting would not change the outcome.
func (w *Watch) readAndSettle(ctx context.Context, counts tally.Counts, resent int64) (out Outcome, sure bool) {
	log, note := w.readLog(ctx, counts)
	if note != "" {
		out.Notes = append(out.Notes, "The lines of the balancer's log are not counted: "+note)
	}
	srv := w.askServers(ctx, log)
	if srv != nil && len(srv.silent) > 0 {
		out.Notes = append(out.Notes, "These servers could not be asked what they counted: "+strings.Join(srv.silent, ", ")+".")
	}
	c := client{responses: counts.Responses, lost: counts.Lost, resent: resent, warmup: counts.Warmup, ids: counts.IDs, part: w.cfg.Part}
	gone, notes := w.gone()
	out.Notes = append(out.Notes, notes...)
	if srv != nil {
		out.Restarted = srv.restarted
		out.Notes = append(out.Notes, srv.notes...)
		for addr := range srv.anew {
			gone[addr] = true
		}
	}
	if log != nil && log.run.lines > 0 && log.nameless == log.run.lines {
		out.Notes = append(out.Notes, "The lines of the balancer's log lack request_id, so they are compared by their number only."+paste(w.cfg))
	}
	s := settle(c, log, srv, gone)
	out.Reconciliation = s.Reconciliation
	if log != nil {
		out.LogRead, out.Foreign = true, log.foreignByGroup()
		own, why := w.asked.counted(ctx, log)
		out.Reconciliation.Balancer = own
		out.Notes = append(out.Notes, why...)
	}
	if s.Unexplained > 0 {
		out.Warnings = append(out.Warnings, "The counts of client, nginx and servers do not agree: "+strings.Join(s.reasons, " "))
	}
	return out, s.Unexplained == 0 && srv != nil
}

// paste are the lines that the balancer's configuration needs so that its log can be counted; empty: not known.
func paste(cfg Config) string {
	for _, s := range known.Signatures() {
		if s.Balancer == cfg.Nginx.Balancer && s.Log != "" {
			return " To paste into the http block of " + s.Balancer + ": " + s.Log
		}
	}
	return ""
}

// readLog reads what the log has grown by; nil and why where it does not tell.
func (w *Watch) readLog(ctx context.Context, counts tally.Counts) (c *logCount, note string) {
	if w.logErr != nil {
		return nil, w.logErr.Error() + "."
	}
	if w.noLog != "" {
		return nil, w.noLog
	}
	if w.log == nil {
		return nil, ""
	}
	c = w.count
	if counts.IDs != nil {
		c.end = counts.IDs.End()
	}
	all := counts.Responses + counts.Lost + counts.Warmup
	err := wait(ctx, func() (progress int64, done bool, err error) {
		err = w.log.lines(ctx, func(line []byte) { c.add(w.asked.line(line)) })
		got := c.run.lines + c.warmup.lines
		return got, got >= all, err
	})
	switch {
	case err != nil:
		return nil, err.Error() + "."
	case w.log.whole() != nil:
		return nil, w.log.whole().Error() + "."
	case c.run.lines == 0 && c.lacking != nil:
		return nil, "the lines of " + w.cfg.Nginx.AccessLog + " lack " + strings.Join(c.lacking, " and ") + "." + paste(w.cfg)
	case c.run.lines+c.warmup.lines == 0 && counts.Responses > 0:
		return nil, w.cfg.Nginx.AccessLog + " has none of this run, so the target's nginx writes another log."
	}
	return c, ""
}

// askServers asks for the counts again, until they are as high as the log lets expect; nil where no server
// tells.
func (w *Watch) askServers(ctx context.Context, log *logCount) *servers {
	if len(w.before) == 0 {
		return nil
	}
	var s *servers
	_ = wait(ctx, func() (progress int64, done bool, err error) {
		s = w.compare(w.counted(ctx), log)
		done = log != nil
		for addr, n := range s.counted {
			progress += n
			done = done && n >= log.answered(addr)
		}
		return progress, done, nil
	})
	if idle(s) && log == nil {
		return nil // other servers are behind the target
	}
	return s
}

func idle(s *servers) bool {
	for _, n := range s.counted {
		if n > 0 {
			return false
		}
	}
	return true
}

// compare is what the servers have counted since the beginning. One that was not there all the time, or has
// begun anew without saying so, is silent; it does not matter where it answered nothing.
func (w *Watch) compare(after map[string]told, log *logCount) *servers {
	s := &servers{counted: map[string]int64{}, anew: map[string]bool{}}
	for _, addr := range w.addrs {
		first, known := w.before[addr]
		last, still := after[addr]
		if known && still {
			s.restarts(addr, first.processes, last.processes, w.began)
		}
		switch {
		case known && still && last.countsAnew(w.began) && log != nil:
			s.anew[addr], s.counted[addr] = true, last.requests
			s.notes = append(s.notes, fmt.Sprintf("%s has counted anew since it was restarted: what it answered before is known from the log only.", addr))
		case known && still && !last.countsAnew(w.began) && last.requests >= first.requests:
			s.counted[addr] = last.requests - first.requests
		case log == nil || log.answered(addr) > 0:
			s.silent = append(s.silent, addr)
		}
	}
	return s
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
