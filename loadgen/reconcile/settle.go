package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/results/units"
)

// Causes to which differences are attributed.
const (
	Warmup   = "warmup"     // in the log as warm-up of this run, left out of nginx and servers
	Others   = "foreign"    // in the log as sent by others, left out of servers
	NoAnswer = "no_answer"  // reached nginx, and the client got no answer
	Unserved = "unserved"   // answered by nginx itself: refused by all servers, none live, bad request
	Retried  = "retried"    // answered by a server, and by another one too
	InFlight = "in_flight"  // cut off before the answer, and completed by the server nevertheless
	Unasked  = "not_asked"  // answered by servers that could not be asked for their count
	Gone     = "gone"       // answered by a server of which a process ended without handing its count over
	Resent   = "sent_again" // sent twice as the first connection turned out to be closed
	Open     = "open"       // a websocket that is open still: counted by its server, in the log when it closes
	Unlogged = "not_logged" // answered, and left out of its log by a balancer that counts what it leaves out
)

// client is what the load generator knows.
type client struct {
	responses int64
	lost      int64 // sent, no answer
	resent    int64 // sent again
	warmup    int64 // hits of the warm-up; used where there is no log
	ids       *tally.IDs
	part      bool // others send parts of the same load
}

// servers is what the servers counted since the beginning, by address.
type servers struct {
	asked     span
	counted   map[string]int64
	upgrades  map[string]int64 // of these, those that became websockets
	silent    []string         // asked, and did not tell
	anew      map[string]bool  // count from a restart on: what they had counted before is lost
	restarted []distribution.Restart
	notes     []string
}

// settlement is the outcome for the record.
type settlement struct {
	run.Reconciliation
	reasons []string // sentences, one for each difference that nothing explains
}

func (s *settlement) attribute(cause string, n int64) {
	if n != 0 {
		s.Attributed[cause] += n
	}
}

func (s *settlement) leave(n int64, format string, args ...any) {
	if n < 0 {
		n = -n
	}
	if n != 0 {
		s.Unexplained += n
		s.reasons = append(s.reasons, fmt.Sprintf(format, args...))
	}
}

// settle sets the counts against each other. log and srv are nil where they could not be read; gone are the servers of
// which a process ended with its count.
func settle(c client, log *logCount, srv *servers, gone map[string]bool) settlement {
	out := settlement{Reconciliation: run.Reconciliation{Client: c.responses, Attributed: map[string]int64{}}}
	if log != nil {
		out.nginx(c, log)
	}
	if srv != nil {
		out.servers(c, log, srv, gone)
	}
	if len(out.Attributed) == 0 {
		out.Attributed = nil
	}
	return out
}

// nginx compares the client with the log: C + a = N.
func (s *settlement) nginx(c client, log *logCount) {
	n := log.run.lines
	s.Nginx = &n
	if c.ids != nil && n > 0 && log.nameless == 0 {
		s.attribute(Warmup, log.warmup.lines)
		s.attribute(Others, log.foreign.lines)
		s.byID(c.ids, log)
		return
	}
	missing := n - c.responses // lines beyond the answers that the client saw
	resent := min(max(missing-c.lost, 0), c.resent)
	noAnswer := min(max(missing, 0), c.lost)
	s.attribute(NoAnswer, noAnswer)
	s.attribute(Resent, resent)
	s.attribute(Warmup, log.warmup.lines)
	s.attribute(Others, log.foreign.lines)
	left := missing - noAnswer - resent
	unlogged := min(max(-left, 0), log.dropped)
	s.attribute(Unlogged, unlogged)
	switch left += unlogged; {
	case left < 0:
		s.leave(left, "%s that the client saw %s not in nginx's access log.", units.Count(-left, "answer"), units.IsAre(-left))
	case left > 0:
		s.leave(left, "nginx's access log has %s of this run more than the client knows of.", units.Count(left, "request"))
	}
}

// byID compares the client with the log hit by hit, so that errors of opposite signs don't cancel.
func (s *settlement) byID(c *tally.IDs, log *logCount) {
	nowhere, _ := c.Lost.Without(0, &log.ids) // never reached it
	s.attribute(NoAnswer, c.Lost.Count()-nowhere)
	unlogged, which := c.Answered.Without(shownIDs, &log.ids)
	dropped := min(unlogged, log.dropped)
	s.attribute(Unlogged, dropped)
	unlogged -= dropped
	s.leave(unlogged, "%s that the client saw %s not in nginx's access log: %s.", units.Count(unlogged, "answer"), units.IsAre(unlogged), numbers(unlogged, which))
	unknown, which := log.ids.Without(shownIDs, &c.Answered, &c.Lost)
	unknown += log.strange
	s.leave(unknown, "nginx's access log has %s of this run that the client has not sent: %s.", units.Count(unknown, "request"), numbers(unknown, which))
	doubled, which := log.twice.Without(shownIDs, &c.Again)
	again := log.surplus - doubled // a hit is sent again once
	s.attribute(Resent, again)
	s.leave(doubled, "nginx's access log has %s twice that the client sent once: %s.", units.Count(doubled, "request"), numbers(doubled, which))
}

// shownIDs is how many numbers are told of many.
const shownIDs = 5

// numbers names requests by their X-Request-Id.
func numbers(n int64, some []uint64) string {
	if len(some) == 0 {
		return "of other numbers"
	}
	text := "number " + strings.Trim(strings.ReplaceAll(fmt.Sprint(some), " ", ", "), "[]")
	if n > int64(len(some)) {
		text += ", …"
	}
	return text
}

// servers compares the log, or without one the client, with the servers: N - u + r + f = S.
func (s *settlement) servers(c client, log *logCount, srv *servers, gone map[string]bool) {
	var sum int64
	for _, n := range srv.counted {
		sum += n
	}
	if log == nil {
		s.withoutLog(c, srv, sum, gone)
		return
	}
	s.attribute(Unserved, log.run.unserved)
	s.attribute(Retried, log.run.resolved-(log.run.lines-log.run.unserved))
	var late, unlogged, open int64
	sure, perhaps := log.untilAsked(srv.asked)
	others := int64(0) // that the servers counted, and nobody else
	for _, addr := range slices.Sorted(maps.Keys(srv.counted)) {
		more := srv.counted[addr] - log.answered(addr) - sure[addr]
		take := func(most int64) int64 {
			n := min(max(more, 0), most)
			more -= n
			return n
		}
		others += log.warmup.answered[addr] + log.foreign.answered[addr] + sure[addr] + take(perhaps[addr])
		late += take(log.cutOff(addr))
		open += take(max(srv.upgrades[addr]-log.upgrades[addr], 0))
		unlogged += take(log.dropped - unlogged)
		switch {
		case more > 0:
			s.leave(more, "%s counted %s that did not come through nginx, or %s not in its access log.", addr, units.Count(more, "request"), units.IsAre(more))
		case more < 0 && gone[addr]:
			s.attribute(Gone, -more)
		case more < 0:
			s.leave(more, "%s did not count %s that it answered by nginx's access log.", addr, units.Count(-more, "request"))
		}
	}
	s.attribute(Open, open)
	s.attribute(InFlight, late)
	s.attribute(Unlogged, max(unlogged-s.Attributed[Unlogged], 0)) // those of the run are known to the client's side, too
	var unasked int64
	for _, addr := range srv.silent {
		unasked += log.run.answered[addr]
	}
	s.attribute(Unasked, unasked)
	counted := sum - others - open
	s.Servers = &counted
}

// withoutLog compares the client with the servers.
func (s *settlement) withoutLog(c client, srv *servers, sum int64, gone map[string]bool) {
	if c.part {
		s.attribute(Warmup, c.warmup)
		if len(srv.silent) == 0 {
			s.Whole = &sum
		}
		return
	}
	counted := sum - c.warmup
	s.Servers = &counted
	s.attribute(Warmup, c.warmup)
	if len(srv.silent) == 0 {
		late := min(max(counted-c.responses, 0), c.lost)
		s.attribute(InFlight, late)
		if missing := c.responses - counted; missing > 0 && len(gone) > 0 {
			s.attribute(Gone, missing)
			return
		}
		s.leave(counted-c.responses-late, "The servers counted %s, the client %s, and without nginx's access log the difference can't be attributed.",
			units.Count(counted, "request"), units.Count(c.responses, "answer"))
	}
}
