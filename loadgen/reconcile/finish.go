package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"balanceo/loadgen/tally"
	"balanceo/results/units"
	"balanceo/topology/balancer/known"
)

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
	w.ended = time.Now()
	w.count.ended = w.ended
	usage := w.usage.stop(counts.Requests)
	if w.log != nil {
		defer w.log.close()
	}
	log, note := w.readLog(ctx, counts)
	srv := w.askServers(ctx, log)
	own := w.asked.given(ctx)
	out := w.settle(log, srv, own, counts, resent)
	if w.log != nil && (out.Reconciliation.Unexplained > 0 || srv == nil) {
		// Lines of others may still lie in the buffer of a worker process that has none of the run's.
		pause(ctx, quiet-time.Since(w.ended))
		log, note = w.readLog(ctx, counts)
		if w.ledger != nil && srv != nil && log != nil { // what these lines tell of, the servers had perhaps not told it yet
			srv = w.askServers(ctx, log)
		}
		out = w.settle(log, srv, own, counts, resent)
	}
	if note != "" {
		out.Notes = append(out.Notes, "The lines of the balancer's log are not counted: "+note)
	}
	out.Servers = usage
	return out
}

// settle sets what was read and asked against each other.
func (w *Watch) settle(log *logCount, srv *servers, own given, counts tally.Counts, resent int64) (out Outcome) {
	if log != nil {
		if log.dropped = w.asked.newlyUnlogged(own); log.dropped > 0 {
			out.Notes = append(out.Notes, fmt.Sprintf("%s left %s out of its log, as it says itself: it does not wait for the log.",
				w.asked.balancer.Name(), units.Count(log.dropped, "line")))
		}
	}
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
		n, why := w.asked.counted(own, log)
		out.Reconciliation.Balancer = n
		out.Notes = append(out.Notes, why...)
	}
	if s.Unexplained > 0 {
		out.Warnings = append(out.Warnings, "The counts of client, nginx and servers do not agree: "+strings.Join(s.reasons, " "))
	}
	return out
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
	if len(w.before.servers) == 0 {
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
func (w *Watch) compare(after reading, log *logCount) *servers {
	s := &servers{asked: after.span, counted: map[string]int64{}, upgrades: map[string]int64{}, anew: map[string]bool{}}
	for _, addr := range w.addrs {
		first, known := w.before.servers[addr]
		last, still := after.servers[addr]
		if known && still {
			s.restarts(addr, first.processes, last.processes, w.began)
		}
		switch {
		case known && still && last.countsAnew(w.began) && log != nil:
			s.anew[addr], s.counted[addr], s.upgrades[addr] = true, last.requests, last.upgrades
			s.notes = append(s.notes, fmt.Sprintf("%s has counted anew since it was restarted: what it answered before is known from the log only.", addr))
		case known && still && !last.countsAnew(w.began) && last.requests >= first.requests:
			s.counted[addr] = last.requests - first.requests
			s.upgrades[addr] = last.upgrades - first.upgrades
		case log == nil || log.answered(addr) > 0:
			s.silent = append(s.silent, addr)
		}
	}
	return s
}
