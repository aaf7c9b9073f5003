package run

import (
	"strings"

	"balanceo/results/units"
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
	if e.Retried > 0 {
		parts = append(parts, units.Count(e.Retried, "attempt")+" there went on to another server")
	}
	if e.Failed > 0 {
		parts = append(parts, units.Count(e.Failed, "request")+" failed there")
	}
	if e.UnderWay > 0 {
		parts = append(parts, units.Count(e.UnderWay, "request")+" under way there")
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
