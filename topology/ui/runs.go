package ui

import (
	"slices"
	"time"

	"balanceo/loadgen/tally"
	"balanceo/topology/fleet"
)

// Bounds of how the log tells that a load begins and ends.
const (
	fresh   = 2000  // milliseconds after the page began: a load that is seen only then has just begun
	silence = 5000  // milliseconds without a request, or four times the longest that there was between two: it has ended
	recall  = 60000 // milliseconds that a load which has ended is remembered
)

// runs are the loadgens whose requests are in the log, by the id of their run: whoever started them, and wherever.
type runs struct {
	begun int64 // when the page began to look, in Unix milliseconds
	all   map[string]*stay
}

// stay is from the first request of a run to the last.
type stay struct {
	last, gap int64 // Unix milliseconds; the longest between two
	own, over bool  // the page tells of its own loads, but not when one is over by itself
}

// begin enters a load of the page's own; any earlier one is over.
func (r *runs) begin(id string, at int64) {
	for _, s := range r.all {
		s.over = s.over || s.own
	}
	if id != "" {
		r.all[id] = &stay{last: at, own: true}
	}
}

// see takes in a request, and returns the mark that it makes, if any: its run has begun.
func (r *runs) see(q *request) *fleet.Event {
	if q.run == "" {
		return nil
	}
	s := r.all[q.run]
	if s == nil {
		r.all[q.run] = &stay{last: q.ended}
		if !q.warmup && q.began() < r.begun+fresh { // who knows since when
			return nil
		}
		return markOf(q.run, "load begins", q.began())
	}
	s.gap = max(s.gap, q.ended-s.last)
	s.last = max(s.last, q.ended)
	if s.over && !s.own {
		s.over = false
		return markOf(q.run, "load goes on", q.began())
	}
	return nil
}

// ended returns the marks of runs that have ended, now that the log is complete up to then.
func (r *runs) ended(complete int64) []*fleet.Event {
	var out []*fleet.Event
	for id, s := range r.all {
		switch {
		case s.over && complete-s.last > recall:
			delete(r.all, id)
		case !s.over && complete-s.last > max(silence, 4*s.gap):
			s.over = true
			out = append(out, markOf(id, "load ends", s.last))
		}
	}
	slices.SortFunc(out, func(a, b *fleet.Event) int { return a.At.Compare(b.At) })
	return out
}

// elsewhere are the runs that go on and are not the page's own.
func (r *runs) elsewhere() []string {
	var ids []string
	for id, s := range r.all {
		if !s.own && !s.over {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func markOf(id, text string, at int64) *fleet.Event {
	return &fleet.Event{At: time.UnixMilli(at), Kind: fleet.EventAction, By: tally.Agent + id, Text: text}
}
