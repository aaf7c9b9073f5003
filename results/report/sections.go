package report

import (
	"fmt"
	"strings"

	"balanceo/results/run"
)

// routes writes the table of routes, and all of them together.
func (p *page) routes(r *run.Record) {
	if len(r.Routes) == 0 {
		return
	}
	t := &table{indent: 2, head: []cell{
		{text: "route"},
		right("requests"), right("answers/s"), right("draws/s"),
		right("p50"), right("p90"), right("p95"), right("p99"), right("p99.9"), right("max"),
	}}
	row := func(name string, n int64, throughput float64, draws *float64, l run.Latency) {
		cells := []cell{{text: clean(name)}, right(integer(n)), right(decimals(throughput, 1)), right(absent)}
		if draws != nil {
			cells[3].text = scaled(*draws)
		}
		for _, v := range []float64{l.P50, l.P90, l.P95, l.P99, l.P999, l.Max} {
			cells = append(cells, right(latency(v, n)))
		}
		t.rows = append(t.rows, cells)
	}
	drawing := false
	var throughput float64
	for _, route := range r.Routes {
		row(route.Method+" "+route.Path, route.Requests, route.Throughput, route.Draws, route.Latency)
		drawing = drawing || route.Draws != nil
		throughput += route.Throughput
	}
	if len(r.Routes) > 1 {
		row("all", r.Requests, throughput, nil, r.Latency)
	}
	t.hide(func(i int) bool { return i == 3 && !drawing })
	t.shrink(Width)
	p.table("routes", t)
}

// table writes t under a title.
func (p *page) table(title string, t *table) {
	p.line("")
	p.line(p.paint.as(bold, title))
	for i, line := range t.lines() {
		if i == 0 {
			line = p.paint.as(dim, line)
		}
		p.line(line)
	}
}

func (p *page) session(s *run.Session) {
	if s == nil {
		return
	}
	p.line("")
	colour := green
	if s.Breaks > 0 {
		colour = red
	}
	p.wrapped("sessions    ", colour, fmt.Sprintf("%s %s, %s signed-in %s, %s session %s",
		integer(int64(s.Users)), plural(float64(s.Users), "user", "users"),
		integer(s.Requests), plural(float64(s.Requests), "request", "requests"),
		integer(s.Breaks), plural(float64(s.Breaks), "break", "breaks")))
}

func (p *page) webSocket(s *run.WS) {
	if s == nil {
		return
	}
	t := &table{indent: 2, head: []cell{
		{text: "upstream"}, right("clients"), right("p50"), right("p90"), right("p95"), right("p99"), right("max"),
	}}
	for _, u := range s.Upstreams {
		l := u.Latency
		n := int64(1)
		if l == (run.Latency{}) {
			n = 0
		}
		row := []cell{{text: clean(u.Addr)}, right(integer(int64(u.Clients)))}
		for _, v := range []float64{l.P50, l.P90, l.P95, l.P99, l.Max} {
			row = append(row, right(latency(v, n)))
		}
		t.rows = append(t.rows, row)
	}
	t.shrink(Width)
	p.table("deliveries, from send to each websocket client", t)
	colour := green
	if s.Lost+s.Doubled+s.OutOfOrder > 0 {
		colour = red
	}
	p.wrapped("  ", colour, fmt.Sprintf("%s %s, %s %s sent, %s delivered, %s lost, %s doubled, %s out of order",
		integer(int64(s.Clients)), plural(float64(s.Clients), "client", "clients"),
		integer(s.Sent), plural(float64(s.Sent), "product", "products"),
		integer(s.Delivered), integer(s.Lost), integer(s.Doubled), integer(s.OutOfOrder)))
}

// search writes the curve of rate against latency and errors.
func (p *page) search(s *run.Search) {
	if s == nil {
		return
	}
	t := &table{indent: 2, head: []cell{
		right("rate/s"), right("sent/s"), right("p50"), right("p99"), right("errors %"), {text: "held"}, {text: "why not"},
	}}
	var rows []string
	for _, step := range s.Steps {
		held := "yes"
		if !step.Held {
			held = "no"
		}
		t.rows = append(t.rows, []cell{
			right(number(step.Rate)), right(decimals(step.ActualRate, 1)), right(latency(step.P50, 1)), right(latency(step.P99, 1)),
			right(decimals(100*step.ErrorRatio, 2)),
			{text: held},
			{text: cut(clean(step.Reason), 44)},
		})
	}
	p.table("search for the highest rate with "+clean(s.SLO), t)
	switch {
	case s.MaxRate == 0:
		rows = append(rows, "No rate that was tried held.")
	case s.Confirmed:
		rows = append(rows, fmt.Sprintf("%s requests/s held, and held again in a confirming run.", number(s.MaxRate)))
	default:
		rows = append(rows, fmt.Sprintf("%s requests/s held, but not in a confirming run.", number(s.MaxRate)))
	}
	p.wrapped("  ", bold, strings.Join(rows, " "))
}
