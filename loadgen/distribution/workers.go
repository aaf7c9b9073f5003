package distribution

import (
	"fmt"
	"strings"

	"balanceo/results/run"
	"balanceo/topology/layout"
)

// uneven is how much more than an equal part the busiest worker must have had to be worth a note.
const uneven = 1.25

// workerNotes says where the processes behind one port shared its requests unevenly, and why.
func workerNotes(g *run.Group, conf *layout.Group) []string {
	var who []string
	for _, u := range g.Upstreams {
		if text := unevenWorkers(u); text != "" {
			who = append(who, text)
		}
	}
	if len(who) == 0 {
		return nil
	}
	why := "The kernel gives a new connection to whichever worker takes it first, and a connection stays with the worker that took it."
	if conf != nil && conf.Keepalive > 0 {
		why = fmt.Sprintf("nginx keeps up to %d idle connections to the group open (keepalive), and a connection stays with the worker process that accepted it, so it pins requests to workers; the shares of the ports are not touched.", conf.Keepalive)
	}
	return []string{"Workers behind one port: " + strings.Join(who, ", ") + ". " + why}
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
		return fmt.Sprintf("%s had all its requests answered by one", u.Addr)
	case float64(most)*float64(len(u.Workers)) < uneven*float64(sum):
		return ""
	}
	return fmt.Sprintf("the busiest of %d at %s answered %.0f %%", len(u.Workers), u.Addr, 100*float64(most)/float64(sum))
}
