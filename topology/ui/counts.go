package ui

import (
	"cmp"
	"slices"
	"time"
)

// How much is kept, and of what the picture shows the latest: at least a second, and up to five where requests are few.
const (
	keepSeconds = 300
	quarter     = 250 // milliseconds
	keepLive    = 20  // quarters
	enough      = 100 // requests of a group
	few         = 20  // of a group, from which on what was before a change is not looked at
	keepLags    = 40  // times that lines have come
)

// cell is what one server or one group did in a stretch of time, by when answers were complete.
type cell struct {
	Requests int `json:"n"`           // answered by it; of a group, all
	Errors   int `json:"e,omitempty"` // of these, with a status from 500 on, or with no server's answer
	Retried  int `json:"r,omitempty"` // attempts that failed here and went on to another server

	took []uint16 // milliseconds
}

func (c *cell) add(took int64) {
	c.Requests++
	c.took = append(c.took, uint16(min(took, 1<<16-1)))
}

// merge adds another cell.
func (c *cell) merge(o *cell) {
	c.Requests += o.Requests
	c.Errors += o.Errors
	c.Retried += o.Retried
	c.took = append(c.took, o.took...)
}

// summary is a cell with percentiles, in milliseconds as the log has them; -1: no request.
type summary struct {
	cell
	P50 int `json:"p50"`
	P99 int `json:"p99"`
}

func (c *cell) summary() summary {
	sorted := slices.Clone(c.took)
	slices.Sort(sorted)
	rank := func(p int) int {
		if len(sorted) == 0 {
			return -1
		}
		return int(sorted[max(0, (len(sorted)*p+99)/100-1)])
	}
	return summary{*c, rank(50), rank(99)}
}

// cells are stretches of time by name: servers by address, and groups.
type cells struct {
	At      int64 // Unix seconds
	servers map[string]*cell
	groups  map[string]*cell
}

func newCells(at int64) *cells {
	return &cells{At: at, servers: map[string]*cell{}, groups: map[string]*cell{}}
}

// named is what m has under a name, made where there is none yet.
func named[T any](m map[string]*T, name string) *T {
	if m[name] == nil {
		m[name] = new(T)
	}
	return m[name]
}

func (s *cells) add(r *request) {
	g := named(s.groups, r.group)
	g.add(r.took)
	for i := range r.attempts {
		a := &r.attempts[i]
		if i < len(r.attempts)-1 {
			named(s.servers, a.addr).Retried++
			g.Retried++
		}
	}
	if r.failed() {
		g.Errors++
	}
	if a := r.last(); a != nil {
		c := named(s.servers, a.addr)
		c.add(a.took)
		if r.failed() {
			c.Errors++
		}
	}
}

// row is a second, or a longer stretch, for the page.
type row struct {
	At      int64              `json:"t"` // Unix seconds at its beginning
	Servers map[string]summary `json:"servers"`
	Groups  map[string]summary `json:"groups"`
	All     summary            `json:"all"`
}

func (s *cells) row() row {
	out := row{At: s.At, Servers: map[string]summary{}, Groups: map[string]summary{}}
	var all cell
	for name, c := range s.servers {
		out.Servers[name] = c.summary()
	}
	for name, c := range s.groups {
		out.Groups[name] = c.summary()
		all.merge(c)
	}
	out.All = all.summary()
	return out
}

// counts adds up the requests of the log.
type counts struct {
	seconds []*cells // ascending; with gaps where nothing was logged
	live    map[int64]*cells
	closed  int64 // seconds before this one have been given out

	lag  int64   // the longest that a line has lately come after its request ended, in milliseconds
	lags []int64 // of the last times that lines have come
}

func newCounts() *counts { return &counts{live: map[int64]*cells{}, lag: 1100} }

// add counts a request whose line was read at now.
func (c *counts) add(r *request, now int64) {
	c.second(r.ended / 1000).add(r)
	q := r.ended / quarter
	if now/quarter-q < 2*keepLive {
		if c.live[q] == nil {
			c.live[q] = newCells(0)
		}
		c.live[q].add(r)
	}
	if late := now - r.ended; late >= 0 && late < 3000 {
		if len(c.lags) == 0 {
			c.lags = append(c.lags, 0)
		}
		c.lags[len(c.lags)-1] = max(c.lags[len(c.lags)-1], late)
	}
}

func (c *counts) second(at int64) *cells {
	i, found := slices.BinarySearchFunc(c.seconds, at, func(s *cells, at int64) int { return int(s.At - at) })
	if !found {
		c.seconds = slices.Insert(c.seconds, i, newCells(at))
	}
	return c.seconds[i]
}

// complete is up to when all lines have been read, in Unix milliseconds.
func (c *counts) complete(now time.Time) int64 { return now.UnixMilli() - c.lag - 20 }

// close returns the seconds that are complete and have not been given out, and forgets the oldest ones.
func (c *counts) close(now time.Time) []row {
	if n := len(c.lags); n > 0 && c.lags[n-1] > 0 {
		if c.lag = slices.Max(c.lags); n >= keepLags {
			c.lags = c.lags[1:]
		}
		c.lags = append(c.lags, 0)
	}
	until := c.complete(now) / 1000
	c.closed = cmp.Or(c.closed, until-1)
	var out []row
	for ; c.closed < until; c.closed++ {
		out = append(out, c.second(c.closed).row())
	}
	for len(c.seconds) > 0 && c.seconds[0].At < until-keepSeconds {
		c.seconds = c.seconds[1:]
	}
	for q := range c.live {
		if q < c.complete(now)/quarter-2*keepLive {
			delete(c.live, q)
		}
	}
	return out
}

// rows are the seconds that are remembered and complete.
func (c *counts) rows() []row {
	var out []row
	for _, s := range c.seconds {
		if s.At < c.closed {
			out = append(out, s.row())
		}
	}
	return out
}

// between is what happened from one second up to before another.
func (c *counts) between(from, to int64) row {
	sum := newCells(from)
	for _, s := range c.seconds {
		if s.At < from || s.At >= to {
			continue
		}
		for name, o := range s.servers {
			named(sum.servers, name).merge(o)
		}
		for name, o := range s.groups {
			named(sum.groups, name).merge(o)
		}
	}
	return sum.row()
}

// now is, by server, what the picture shows: requests per second and the share of its group.
type now struct {
	Rate    float64 `json:"rate"`
	Share   float64 `json:"share"` // 0..1; -1: nobody got anything
	Retried float64 `json:"retried"`
}

// latest looks at the last second, or for a group with few requests at a longer stretch, but not at what was before
// from, as soon as there is something after it. members names the servers of each group.
func (c *counts) latest(at time.Time, members map[string][]string, from int64) map[string]now {
	last := c.complete(at) / quarter // the quarter that is not complete yet
	out := map[string]now{}
	for _, servers := range members {
		sums := map[string]*cell{}
		total, since, quarters := 0, 0, 0 // since the change
		for quarters < keepLive && (quarters < 1000/quarter || total < enough) {
			q := last - 1 - int64(quarters)
			if q*quarter < from && (since >= few || quarters >= 1000/quarter) {
				break
			}
			quarters++
			if c.live[q] == nil {
				continue
			}
			for _, s := range servers {
				if o := c.live[q].servers[s]; o != nil {
					sum := named(sums, s)
					sum.Requests += o.Requests
					sum.Retried += o.Retried
					total += o.Requests
				}
			}
			if q*quarter >= from {
				since = total
			}
		}
		seconds := float64(quarters*quarter) / 1000
		for _, s := range servers {
			sum, n := named(sums, s), now{Share: -1}
			n.Rate, n.Retried = float64(sum.Requests)/seconds, float64(sum.Retried)/seconds
			if total > 0 {
				n.Share = float64(sum.Requests) / float64(total)
			}
			out[s] = n
		}
	}
	return out
}
