package report

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"balanceo/results/console"
	"balanceo/results/run"
	"balanceo/results/units"
)

// routes writes the table of routes, and all of them together.
func (p *page) routes(r *run.Record) {
	if len(r.Routes) == 0 {
		return
	}
	t := &console.Table{Indent: 2, Columns: []console.Column{
		console.Left("route", 0), console.Right("requests", 0), console.Right("answers/s", 1), console.Right("draws/s", 4),
		console.Right("p50", 0), console.Right("p90", 5), console.Right("p95", 7), console.Right("p99", 2), console.Right("p99.9", 6),
		console.Right("max", 3),
	}}
	row := func(name string, n, answered int64, throughput float64, draws *float64, l run.Latency) {
		drawn := ""
		if draws != nil {
			drawn = strings.TrimSuffix(units.Format(*draws, units.PerSecond), "/s")
		}
		t.Add(append([]string{console.Clean(name), units.Number(float64(n)), units.Number(throughput), strings.TrimSpace(drawn)},
			latencies(l, answered, "p50", "p90", "p95", "p99", "p99.9", "max")...)...)
	}
	var throughput float64
	for _, route := range r.Routes {
		row(route.Method+" "+route.Path, route.Requests, answers(r, &route), route.Throughput, route.Draws, route.Latency)
		throughput += route.Throughput
	}
	if len(r.Routes) > 1 {
		row("all", r.Requests, r.Successes(), throughput, nil, r.Latency)
	}
	p.table("routes", t)
}

// answers is how many requests the latencies of a route are of.
func answers(r *run.Record, route *run.Route) int64 {
	return int64(math.Round(route.Throughput * cmp.Or(r.AnswerTime, r.Duration)))
}

func (p *page) session(s *run.Session) {
	if s == nil {
		return
	}
	p.line("")
	colour := console.Green
	if s.Breaks > 0 {
		colour = console.Red
	}
	p.fact("sessions", colour, units.Count(int64(s.Users), "user")+", "+units.Count(s.Requests, "signed-in request")+", "+
		units.Count(s.Breaks, "session break"))
}

func (p *page) webSocket(s *run.WS) {
	if s == nil {
		return
	}
	t := &console.Table{Indent: 2, Columns: []console.Column{
		console.Left("upstream", 0), console.Right("clients", 0), console.Right("p50", 0), console.Right("p90", 0), console.Right("p95", 1),
		console.Right("p99", 0), console.Right("max", 0),
	}}
	for _, u := range s.Upstreams {
		// How many deliveries there were is not kept for each upstream: every client should have had each product.
		n := int64(u.Clients) * s.Sent
		if u.Latency == (run.Latency{}) {
			n = 0
		}
		t.Add(append([]string{console.Clean(u.Addr), units.Number(float64(u.Clients))},
			latencies(u.Latency, n, "p50", "p90", "p95", "p99", "max")...)...)
	}
	p.table("deliveries, from send to each websocket client", t)
	colour := console.Green
	if s.Lost+s.Doubled+s.OutOfOrder > 0 {
		colour = console.Red
	}
	count := func(n int64) string { return units.Number(float64(n)) }
	p.wrapped("  ", colour, fmt.Sprintf("%s, %s sent, %s delivered, %s lost, %s doubled, %s out of order",
		units.Count(int64(s.Clients), "client"), units.Count(s.Sent, "product"), count(s.Delivered), count(s.Lost), count(s.Doubled), count(s.OutOfOrder)))
}

// search writes the curve of rate against latency and errors.
func (p *page) search(s *run.Search) {
	if s == nil {
		return
	}
	t := &console.Table{Indent: 2, Columns: []console.Column{
		console.Right("rate/s", 0), console.Right("sent/s", 2), console.Right("p50", 1), console.Right("p99", 0), console.Right("errors", 0),
		console.Left("held", 0), console.Left("why not", 0),
	}}
	for _, step := range s.Steps {
		held := "yes"
		if !step.Held {
			held = "no"
		}
		t.Add(units.Number(step.Rate), units.Number(step.ActualRate), units.Narrow(step.P50, units.Seconds), units.Narrow(step.P99, units.Seconds),
			units.Percent(step.ErrorRatio), held, console.Cut(console.Clean(step.Reason), max(p.Width-46, console.MinDrawn)))
	}
	p.table("search for the highest rate with "+console.Clean(s.SLO), t)
	sure := ""
	if s.Confidence > 0 {
		sure = ", and by all runs it is " + units.Percent(s.Confidence) + " sure that it holds and the next rate above does not"
	}
	switch {
	case s.MaxRate == 0:
		p.wrapped("  ", console.Bold, "No rate that was tried held.")
	case s.Confirmed:
		p.wrapped("  ", console.Bold, units.Number(s.MaxRate)+" requests/s held, and held again in a confirming run"+sure+".")
	default:
		p.wrapped("  ", console.Bold, units.Number(s.MaxRate)+" requests/s held, but not in a confirming run.")
	}
}
