package reconcile

import (
	"maps"
	"slices"
	"time"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/tally"
)

// logCount is what the access log says.
type logCount struct {
	agent string
	from  time.Time // lines of requests that were complete before are late entries of earlier traffic

	asked span      // when the servers were asked before the attack
	ended time.Time // of the attack; zero: before all that is read

	run, warmup, foreign part
	perhaps              map[string]int64 // answers to others as the servers were asked before the attack, by server
	latest               []answer         // answers to others after the attack
	upgrades             map[string]int64 // websockets of whomever that opened since then and have closed, by server
	ids                  tally.Numbers    // of the run's lines
	twice                tally.Numbers    // those of which there is more than one line
	end                  uint64           // numbers from this on are none of the run
	surplus, nameless    int64            // lines of the run beyond the first of a number, and without a number
	strange              int64            // lines of the run with a number from end on
	damaged              int64            // lines that can't be read
	lacking              []string         // keys that a line without all that is needed lacks; nil: there was none
	dropped              int64            // lines of whomever that the balancer says it left out
	scanner              scanner
	windows              map[string]*window
	others               []other
	inside               map[string]distribution.Foreign // of others, by group
	left                 map[string]int64                // out, by group
}

// part is one kind of lines.
type part struct {
	lines    int64
	unserved int64            // lines that no server answered
	answered map[string]int64 // attempts that were answered, by server
	cutOff   map[string]int64 // attempts without an answer, by server
	resolved int64            // sum of answered
}

// window is when the run's requests of one group came in, in Unix milliseconds.
type window struct{ first, last int64 }

// other is a foreign request.
type other struct {
	group, addr string
	began       int64 // Unix milliseconds
	failed      int64
}

func newLogCount(agent string, from time.Time) *logCount {
	empty := func() part { return part{answered: map[string]int64{}, cutOff: map[string]int64{}} }
	return &logCount{
		agent: agent, from: from, run: empty(), warmup: empty(), foreign: empty(), windows: map[string]*window{},
		inside: map[string]distribution.Foreign{}, left: map[string]int64{}, perhaps: map[string]int64{}, upgrades: map[string]int64{},
	}
}

// add counts one line.
func (c *logCount) add(text []byte) {
	if len(text) == 0 {
		return
	}
	l, err := c.scanner.parse(text)
	if err != nil {
		c.damaged++
		return
	}
	if lacking := l.lacks(); lacking != nil {
		c.lacking = lacking
		return
	}
	attempts := l.attempts()
	late := l.answeredAt().Before(c.from)
	if l.upgraded() && len(attempts) == 1 && !late {
		c.upgrades[attempts[0].addr]++
	}
	switch *l.UserAgent {
	case c.agent:
		c.run.add(attempts)
		c.identify(&l)
		c.widen(&l)
	case c.agent + tally.WarmupSuffix:
		if !late {
			c.warmup.add(attempts)
		}
	default:
		if late {
			return
		}
		c.foreign.lines++
		c.addOthers(&l, attempts)
		if len(attempts) > 0 {
			c.others = append(c.others, other{
				group: l.Group, addr: attempts[len(attempts)-1].addr,
				began: l.began().UnixMilli(), failed: int64(len(attempts) - 1),
			})
			if len(c.others) >= mostOthers {
				c.sort()
			}
		}
	}
}

// identify notes which hit of the run a line is of.
func (c *logCount) identify(l *line) {
	n, ok := l.number()
	switch {
	case !ok:
		c.nameless++
	case n >= c.end: // and no reason to keep a bit for each number below
		c.strange++
	case !c.ids.Add(n):
		c.surplus++
		c.twice.Add(n)
	}
}

func (p *part) add(attempts []attempt) {
	p.lines++
	for _, a := range attempts {
		p.attempt(a)
	}
	if !slices.ContainsFunc(attempts, func(a attempt) bool { return a.answered }) {
		p.unserved++
	}
}

func (p *part) attempt(a attempt) {
	if a.answered {
		p.answered[a.addr]++
		p.resolved++
	} else {
		p.cutOff[a.addr]++
	}
}

func (c *logCount) widen(l *line) {
	began := l.began().UnixMilli()
	w := c.windows[l.Group]
	if w == nil {
		c.windows[l.Group] = &window{began, began}
		return
	}
	w.first, w.last = min(w.first, began), max(w.last, began)
}

// answered is how many attempts the server at addr has answered, whoever sent the request.
func (c *logCount) answered(addr string) int64 {
	if c == nil {
		return 0
	}
	return c.run.answered[addr] + c.warmup.answered[addr] + c.foreign.answered[addr]
}

// cutOff is how many attempts at the server at addr ended without an answer.
func (c *logCount) cutOff(addr string) int64 {
	return c.run.cutOff[addr] + c.warmup.cutOff[addr] + c.foreign.cutOff[addr]
}

// blur is how exactly the log tells when a request came in, in milliseconds: both of its times are rounded.
const blur = 2

// mostOthers is how many requests of others are kept of which it is not known yet whether they lie within the run.
const mostOthers = 50_000

// sort counts the requests of others that lie within the run so far, however long it will be, and keeps the rest. Of too
// many the oldest are left out, as if they were at its border.
func (c *logCount) sort() {
	c.others = slices.DeleteFunc(c.others, func(o other) bool {
		w := c.windows[o.group]
		if w == nil || o.began <= w.first+blur || o.began >= w.last-blur {
			return false
		}
		f := c.within(o.group)
		f.ByAddr[o.addr]++
		f.Failed += o.failed
		c.inside[o.group] = f
		return true
	})
	if surplus := len(c.others) - mostOthers/2; surplus > 0 {
		for _, o := range c.others[:surplus] {
			c.left[o.group]++
		}
		c.others = slices.Delete(c.others, 0, surplus)
	}
}

// within is what is known to lie within the run.
func (c *logCount) within(group string) distribution.Foreign {
	f := c.inside[group]
	if f.ByAddr == nil {
		f.ByAddr = map[string]int64{}
	}
	return f
}

// foreignByGroup is what others sent through each group between the run's first and last request to it.
func (c *logCount) foreignByGroup() map[string]distribution.Foreign {
	c.sort()
	out := maps.Clone(c.inside)
	for group, n := range c.left {
		if c.windows[group] != nil {
			f := c.within(group)
			f.Border += n
			out[group] = f
		}
	}
	for _, o := range c.others {
		w := c.windows[o.group]
		if w == nil || o.began < w.first-blur || o.began > w.last+blur {
			continue
		}
		f, ok := out[o.group]
		if !ok {
			f = c.within(o.group)
		}
		f.Border++
		out[o.group] = f
	}
	return out
}
