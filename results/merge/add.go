package merge

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"balanceo/results/run"
)

// adder adds histograms and keeps the first error.
type adder struct{ err error }

// stretch is what one part knows of a distribution.
type stretch struct {
	hdr  string
	some bool // it has requests
}

// add adds stretches; of none it is zero. A part that has requests and no histogram is an error: its percentiles can't be
// added.
func (a *adder) add(what string, stretches []stretch, keep bool) run.Latency {
	var sum *hdrhistogram.Histogram
	for _, s := range stretches {
		l := run.Latency{HDR: s.hdr}
		h, err := l.Histogram()
		switch {
		case errors.Is(err, run.ErrNoHistogram):
			if s.some && a.err == nil {
				a.err = fmt.Errorf("%s: a part has no histogram, so that its percentiles can't be added", what)
			}
		case err != nil:
			a.err = cmp.Or(a.err, fmt.Errorf("%s: %w", what, err))
		case sum == nil:
			sum = h
		default:
			sum.Merge(h)
		}
	}
	if sum == nil {
		return run.Latency{}
	}
	l, err := run.Summarize(sum, keep)
	a.err = cmp.Or(a.err, err)
	return l
}

// latency adds one distribution of all parts.
func (a *adder) latency(parts []*run.Record, what string, of func(*run.Record) *run.Latency, keep bool) run.Latency {
	var all []run.Latency
	for _, r := range parts {
		if l := of(r); l != nil {
			all = append(all, *l)
		}
	}
	return a.latencies(what, all, keep)
}

// optional adds a distribution that not every run has; nil where none has it.
func (a *adder) optional(parts []*run.Record, what string, of func(*run.Record) *run.Latency) *run.Latency {
	if !slices.ContainsFunc(parts, func(r *run.Record) bool { return of(r) != nil }) {
		return nil
	}
	l := a.latency(parts, what, of, true)
	return &l
}

func (a *adder) latencies(what string, all []run.Latency, keep bool) run.Latency {
	stretches := make([]stretch, len(all))
	for i, l := range all {
		stretches[i] = stretch{l.HDR, l.Max > 0}
	}
	return a.add(what, stretches, keep)
}

func (a *adder) routes(parts []*run.Record) []run.Route {
	type key struct{ path, method string }
	byKey := map[key][]run.Route{}
	for _, r := range parts {
		for _, t := range r.Routes {
			k := key{t.Path, t.Method}
			byKey[k] = append(byKey[k], t)
		}
	}
	out := []run.Route{}
	for _, k := range slices.SortedFunc(maps.Keys(byKey), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method))
	}) {
		sum := run.Route{Method: k.method, Path: k.path}
		var all []run.Latency
		for _, t := range byKey[k] {
			sum.Requests += t.Requests
			sum.Throughput += t.Throughput
			if t.Draws != nil {
				draws := *t.Draws
				if sum.Draws != nil {
					draws += *sum.Draws
				}
				sum.Draws = &draws
			}
			all = append(all, t.Latency)
		}
		sum.Latency = a.latencies("route "+k.method+" "+k.path, all, true)
		out = append(out, sum)
	}
	return out
}

// series adds second by second. Parts have points of the same width, for they last equally long.
func (a *adder) series(parts []*run.Record) []run.Point {
	var out []run.Point
	var stretches [][]stretch
	for _, r := range parts {
		for i, p := range r.Series {
			if i == len(out) {
				out, stretches = append(out, run.Point{T: p.T}), append(stretches, nil)
			}
			if out[i].T != p.T && a.err == nil {
				a.err = fmt.Errorf("run %q: its points stand for another number of seconds than those of %q", r.ID, parts[0].ID)
			}
			out[i].Sent += p.Sent
			out[i].Errors += p.Errors
			stretches[i] = append(stretches[i], stretch{p.HDR, p.Sent > p.Errors})
		}
	}
	for i := range out {
		l := a.add("a second of the series", stretches[i], false)
		out[i].P50, out[i].P99 = l.P50, l.P99
	}
	return out
}

func (a *adder) groups(parts []*run.Record) []run.Group {
	byName := map[string][]run.Group{}
	for _, r := range parts {
		for _, g := range r.Groups {
			byName[g.Name] = append(byName[g.Name], g)
		}
	}
	out := []run.Group{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, a.group(byName[name]))
	}
	return out
}

func (a *adder) group(all []run.Group) run.Group {
	sum := run.Group{Name: all[0].Name, Method: all[0].Method, Verdict: run.Info, Upstreams: []run.Upstream{}}
	sum.Notes = notes(all)
	byAddr := map[string][]run.Upstream{}
	for _, g := range all {
		sum.Requests += g.Requests
		for _, u := range g.Upstreams {
			byAddr[u.Addr] = append(byAddr[u.Addr], u)
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(byAddr)) {
		u := a.upstream(byAddr[addr])
		if sum.Requests > 0 {
			u.Share = float64(u.Requests) / float64(sum.Requests)
		}
		sum.Upstreams = append(sum.Upstreams, u)
	}
	judge(&sum, all)
	return sum
}

// mostNotes is how many notes of single parts a group keeps.
const mostNotes = 6

// notes are what all parts say of a group, then what single ones say: their figures are of those parts.
func notes(all []run.Group) []string {
	var common, single []string
	for i, g := range all {
		for _, note := range g.Notes {
			switch said := !slices.ContainsFunc(all, func(other run.Group) bool { return !slices.Contains(other.Notes, note) }); {
			case !said:
				single = append(single, fmt.Sprintf("Part %d: %s", i+1, note))
			case i == 0:
				common = append(common, note)
			}
		}
	}
	if more := len(single) - mostNotes; more > 0 {
		single = append(single[:mostNotes], fmt.Sprintf("%d more notes are in the records of the parts.", more))
	}
	return append(common, single...)
}

func (a *adder) upstream(all []run.Upstream) run.Upstream {
	sum := all[0]
	sum.Requests, sum.RetriedAway, sum.SuccessRatio, sum.Workers, sum.Series = 0, 0, 0, []run.Worker{}, nil
	workers := map[int]int64{}
	var latency []run.Latency
	for _, u := range all {
		sum.Requests += u.Requests
		sum.RetriedAway += u.RetriedAway
		sum.SuccessRatio += u.SuccessRatio * float64(u.Requests)
		for _, w := range u.Workers {
			workers[w.PID] += w.Requests
		}
		latency = append(latency, u.Latency)
	}
	if sum.Requests > 0 {
		sum.SuccessRatio = min(sum.SuccessRatio/float64(sum.Requests), 1)
	}
	for _, pid := range slices.Sorted(maps.Keys(workers)) {
		sum.Workers = append(sum.Workers, run.Worker{PID: pid, Requests: workers[pid]})
	}
	sum.Latency = a.latencies("upstream "+sum.Addr, latency, false)
	sum.Series = a.seconds(all)
	return sum
}

func (a *adder) seconds(all []run.Upstream) []run.Second {
	var out []run.Second
	var stretches [][]stretch
	for _, u := range all {
		for i, s := range u.Series {
			if i == len(out) {
				out, stretches = append(out, run.Second{}), append(stretches, nil)
			}
			out[i].Requests += s.Requests
			out[i].Retries += s.Retries
			out[i].Errors += s.Errors
			stretches[i] = append(stretches[i], stretch{s.HDR, s.Requests > s.Errors})
		}
	}
	for i := range out {
		l := a.add("a second of upstream "+all[0].Addr, stretches[i], false)
		out[i].P50, out[i].P99 = l.P50, l.P99
	}
	return out
}
