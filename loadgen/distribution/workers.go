package distribution

import (
	"fmt"
	"slices"
	"strings"

	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// uneven is how much more than an equal part the busiest worker must have had to be worth a note.
const uneven = 1.25

// workerNotes says where the processes behind one port shared its requests unevenly, and why.
func (in *Input) workerNotes(g *run.Group, conf *balancer.Group) []string {
	var notes, who []string
	for _, u := range g.Upstreams {
		if u.Mode == string(layout.Fork) && len(u.Workers) > 1 {
			if slices.ContainsFunc(in.Restarted, func(r Restart) bool { return r.Addr == u.Addr }) {
				continue // it has said so itself, and when
			}
			notes = append(notes, fmt.Sprintf("%s, which is one process, was answered for by %d one after the other: it was restarted.", u.Addr, len(u.Workers)))
		} else if text := unevenWorkers(u); text != "" {
			who = append(who, text)
		}
	}
	if len(who) == 0 {
		return notes
	}
	why := "the kernel gives a connection to one worker process, and it stays there"
	if conf != nil && conf.Keepalive > 0 {
		why = fmt.Sprintf("%s keeps connections open (keepalive %d), and each stays with the worker process that accepted it", in.who(), conf.Keepalive)
	}
	return append(notes, "Workers shared unevenly at "+strings.Join(who, ", ")+": "+why+". The shares of the ports are not touched.")
}

func unevenWorkers(u run.Upstream) string {
	if u.Requests < 20 || u.Mode != string(layout.Cluster) && len(u.Workers) < 2 {
		return ""
	}
	var sum, most int64
	for _, w := range u.Workers {
		sum += w.Requests
		most = max(most, w.Requests)
	}
	switch {
	case sum == 0:
		return ""
	case len(u.Workers) == 1:
		return u.Addr + " (all by one)"
	case float64(most)*float64(len(u.Workers)) < uneven*float64(sum):
		return ""
	}
	return fmt.Sprintf("%s (%.0f %% by one of %d)", u.Addr, 100*float64(most)/float64(sum), len(u.Workers))
}
