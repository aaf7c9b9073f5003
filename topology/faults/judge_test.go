package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// hit is one request of the load.
type hit struct {
	route     string
	due, done time.Time
	failure   string // its class; empty: it succeeded
}

// moments are when what happened. The cause came about at some time from begins to began.
type moments struct {
	begins, began time.Time
	ended         time.Time
	healthy       time.Time // again, by status
	writes        time.Time // again, by a product that was acknowledged
}

// slow is what no request takes that nothing holds up.
const slow = time.Second

// felt is what clients noticed.
type felt struct {
	requests  int
	failed    map[string]int // by class
	excused   int            // of those: under way when the cause came about
	gap       time.Duration  // longest time in which a route gave no good answer
	gapRoute  string
	slowest   time.Duration
	recovered time.Duration // from the end of the cause until status, writes and every request were as before
}

func judge(hits []hit, m moments) felt {
	f := felt{requests: len(hits), failed: map[string]int{}, recovered: max(0, m.healthy.Sub(m.ended), m.writes.Sub(m.ended))}
	good := map[string][]time.Time{} // when answers came
	for _, h := range hits {
		took := h.done.Sub(h.due)
		if h.failure != "" {
			f.failed[h.failure]++
			if !h.due.After(m.began) && !h.done.Before(m.begins) {
				f.excused++
			}
		} else {
			good[h.route] = append(good[h.route], h.done)
			f.slowest = max(f.slowest, took)
		}
		if h.due.After(m.ended) && (h.failure != "" || took > slow) {
			f.recovered = max(f.recovered, h.done.Sub(m.ended))
		}
	}
	for route, times := range good {
		slices.SortFunc(times, time.Time.Compare)
		for i := range times[1:] {
			if gap := times[i+1].Sub(times[i]); gap > f.gap {
				f.gap, f.gapRoute = gap, route
			}
		}
	}
	return f
}

func TestJudge(t *testing.T) {
	zero := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	m := moments{begins: at(1000), began: at(1010), ended: at(5000), healthy: at(5300), writes: at(5100)}
	for _, tt := range []struct {
		name  string
		hits  []hit
		want  felt
		later time.Duration // that writes go again
	}{
		{
			"nothing happens",
			[]hit{{"/a", at(0), at(5), ""}, {"/a", at(2000), at(2007), ""}},
			felt{requests: 2, gap: 2002 * time.Millisecond, gapRoute: "/a", slowest: 7 * time.Millisecond, recovered: 300 * time.Millisecond},
			0,
		},
		{
			"each route has its own gap",
			[]hit{{"/a", at(0), at(5), ""}, {"/b", at(0), at(1), ""}, {"/a", at(10), at(15), ""}, {"/b", at(30), at(31), ""}},
			felt{requests: 4, gap: 30 * time.Millisecond, gapRoute: "/b", slowest: 5 * time.Millisecond, recovered: 300 * time.Millisecond},
			0,
		},
		{
			"a failed answer ends no gap",
			[]hit{{"/a", at(0), at(0), ""}, {"/a", at(10), at(15), "http_5xx"}, {"/a", at(20), at(20), ""}},
			felt{requests: 3, failed: map[string]int{"http_5xx": 1}, gap: 20 * time.Millisecond, gapRoute: "/a", recovered: 300 * time.Millisecond},
			0,
		},
		{
			"under way when it came about",
			[]hit{{"/a", at(990), at(1005), "eof"}, {"/a", at(1005), at(1011), "eof"}, {"/a", at(900), at(995), "eof"}, {"/a", at(1011), at(1011), "connect_refused"}},
			felt{requests: 4, failed: map[string]int{"eof": 3, "connect_refused": 1}, excused: 2, recovered: 300 * time.Millisecond},
			0,
		},
		{
			"still failing after the end",
			[]hit{{"/a", at(5900), at(6000), "http_5xx"}, {"/a", at(4900), at(9000), ""}},
			felt{requests: 2, failed: map[string]int{"http_5xx": 1}, slowest: 4100 * time.Millisecond, recovered: time.Second},
			0,
		},
		{
			"still slow after the end",
			[]hit{{"/a", at(5001), at(7001), ""}},
			felt{requests: 1, slowest: 2 * time.Second, recovered: 2001 * time.Millisecond},
			0,
		},
		{"writes go later", []hit{{"/a", at(5001), at(5002), ""}}, felt{requests: 1, slowest: time.Millisecond, recovered: 800 * time.Millisecond}, 700 * time.Millisecond},
	} {
		m := m
		m.writes = m.writes.Add(tt.later)
		got := judge(tt.hits, m)
		if fmt.Sprint(got) != fmt.Sprint(withMap(tt.want)) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func withMap(f felt) felt {
	if f.failed == nil {
		f.failed = map[string]int{}
	}
	return f
}
