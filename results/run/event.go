package run

import (
	"fmt"
	"strings"
)

// Event is something that happened to the system during the run and changes what the figures mean.
type Event struct {
	T    float64 `json:"t_s"`            // from the start of the measured part; negative: in the warm-up
	Addr string  `json:"addr,omitempty"` // the upstream that it happened to
	Text string  `json:"text"`           // as "refused connections" or "answers again"
	// What happened to requests of the run there meanwhile: attempts that went on to another server, failures, and those
	// under way when it happened.
	Retried  int64 `json:"retried,omitempty"`
	Failed   int64 `json:"failed,omitempty"`
	UnderWay int64 `json:"under_way,omitempty"`
}

// Touched says what happened to requests meanwhile; empty: nothing.
func (e *Event) Touched() string {
	var parts []string
	for _, one := range []struct {
		n          int64
		noun, what string
	}{
		{e.Retried, "attempt", "there went on to another server"}, {e.Failed, "request", "failed there"}, {e.UnderWay, "request", "under way there"},
	} {
		switch {
		case one.n == 1:
			parts = append(parts, "1 "+one.noun+" "+one.what)
		case one.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss %s", one.n, one.noun, one.what))
		}
	}
	return strings.Join(parts, ", ")
}

// Instance is the name of the instance behind an address; empty: not known.
func (r *Record) Instance(addr string) string {
	for _, g := range r.Groups {
		for _, u := range g.Upstreams {
			if u.Addr == addr && u.Instance != "" {
				return u.Instance
			}
		}
	}
	return ""
}
