package distribution

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"balanceo/results/run"
	"balanceo/results/units"
)

// Restart is a process of a server that began while a run lasted, by what the server says of itself.
type Restart struct {
	Addr  string
	At    time.Time
	Began []int // pids, in the order of their beginning
	Ended []int // those in whose place they may have come; none: they came beside the others
}

// just is how long before a process began requests can have met the end of the one before.
const just = time.Second

// Restarts tells of each restart what happened meanwhile to requests at that server and at no other.
func Restarts(in Input) []run.Event {
	var out []run.Event
	for i, r := range in.Restarted {
		at := r.At.Sub(in.Began)
		event := run.Event{T: (at - in.Warmup).Seconds(), Addr: r.Addr, Text: r.text()}
		earliest := in.Warmup
		for _, other := range in.Restarted[:i] {
			if other.Addr == r.Addr {
				earliest = max(earliest, other.At.Sub(in.Began))
			}
		}
		for _, e := range in.Evidence {
			t := e.Timelines[r.Addr]
			if t == nil || at < in.Warmup {
				continue
			}
			from, to := t.Done.Around(at, never)
			from = max(earliest, min(from, at-just))
			event.Retried += t.Failed.Between(from, to)
			event.Failed += t.Bad.Between(from, to)
			event.UnderWay += t.UnderWay(at)
		}
		out = append(out, event)
	}
	slices.SortStableFunc(out, func(a, b run.Event) int { return cmp.Compare(a.T, b.T) })
	return out
}

func (r *Restart) text() string {
	began := pids(r.Began)
	switch {
	case len(r.Ended) == 0:
		return began + " began beside those that were there"
	case len(r.Ended) > len(r.Began):
		return fmt.Sprintf("was restarted: %s took the place of one of %s", began, numbers(r.Ended))
	}
	return fmt.Sprintf("was restarted: %s took the place of %s", began, numbers(r.Ended))
}

func pids(pids []int) string {
	if len(pids) == 1 {
		return "process " + numbers(pids)
	}
	return "processes " + numbers(pids)
}

func numbers(pids []int) string {
	texts := make([]string, len(pids))
	for i, pid := range pids {
		texts[i] = strconv.Itoa(pid)
	}
	return units.List(texts)
}
