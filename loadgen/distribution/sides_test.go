package distribution

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
)

// spread is a run of 100 requests a second to the servers of a group, which take turns in the order that pick says.
func spread(seconds int, pick func(n int, at time.Duration) int) ([]run.Group, map[string]tally.Evidence) {
	g := run.Group{Name: "g"}
	e := tally.Evidence{Timelines: map[string]*tally.Timeline{}}
	for n := range 100 * seconds {
		at := time.Duration(n)*10*time.Millisecond + time.Millisecond
		i := pick(n, at)
		addr := fmt.Sprint("a:", i+1)
		for len(g.Upstreams) <= i {
			name := fmt.Sprint("a:", len(g.Upstreams)+1)
			g.Upstreams = append(g.Upstreams, run.Upstream{Addr: name})
			e.Timelines[name] = &tally.Timeline{}
		}
		g.Requests++
		g.Upstreams[i].Requests++
		e.Timelines[addr].Sent.Add(at, 1)
		e.Timelines[addr].Done.Add(at+2*time.Millisecond, 1)
	}
	return []run.Group{g}, map[string]tally.Evidence{"g": e}
}

func turns(order ...int) func(n int) int { return func(n int) int { return order[n%len(order)] } }

// A run that spans a change is judged on both sides of it, and fails for the side that is not as promised.
func TestSides(t *testing.T) {
	began := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	before, after := conf(balancer.RoundRobin, 2, 1), conf(balancer.RoundRobin, 1, 3)
	change := began.Add(3 * time.Second)
	after.Epochs = []balancer.Epoch{
		{Began: began.Add(-time.Hour), Done: began.Add(-time.Hour), Groups: before.Groups},
		{Began: change, Done: change.Add(100 * time.Millisecond), Groups: after.Groups},
	}
	old, young := turns(0, 1, 0), turns(1, 1, 0, 1)
	for _, c := range []struct {
		name    string
		pick    func(n int, at time.Duration) int
		verdict run.Verdict
		says    []string
	}{
		{"both as promised", func(n int, at time.Duration) int {
			if at < 3*time.Second {
				return old(n)
			}
			return young(n)
		}, run.Pass, []string{"Until 3.00 s, round_robin with the weights 2:1: 200:100 of 300 requests, as promised", "From 3.10 s on, round_robin with the weights 1:3: 73:217 of 290 requests, as promised"}},
		{"it never changed", func(n int, _ time.Duration) int { return old(n) }, run.Fail, []string{"Until 3.00 s", "From 3.10 s on, round_robin with the weights 1:3: 193:97 of 290 requests, not as promised"}},
		{"it had changed before", func(n int, _ time.Duration) int { return young(n) }, run.Fail, []string{"Until 3.00 s, round_robin with the weights 2:1: 75:225 of 300 requests, not as promised"}},
	} {
		groups, evidence := spread(6, c.pick)
		Explain(groups, Input{Balancer: after, Evidence: evidence, Began: began})
		g := groups[0]
		said := strings.Join(append(g.Reasons, g.Notes...), "\n")
		if g.Verdict != c.verdict {
			t.Errorf("%s: verdict %s, want %s\n%s", c.name, g.Verdict, c.verdict, said)
		}
		for _, text := range c.says {
			if !strings.Contains(said, text) {
				t.Errorf("%s: got\n%s\nwant %q", c.name, said, text)
			}
		}
	}
}

// Whichever server is gone for two seconds, it is accused and no other, with when it was left out and when it came back.
func TestOnlyTheGuilty(t *testing.T) {
	for guilty := range 4 {
		next := 0
		groups, evidence := spread(8, func(_ int, at time.Duration) int {
			i := next % 4
			if i == guilty && at > 3*time.Second && at < 5*time.Second {
				next++
				i = next % 4
			}
			next++
			return i
		})
		in := Input{Balancer: conf(balancer.RoundRobin, 1, 1, 1, 1), Evidence: evidence, Warmup: time.Second}
		Explain(groups, in)
		g := groups[0]
		if g.Verdict != run.Fail || len(g.Reasons) != 1 {
			t.Fatalf("server %d gone: %s, %q, want one reason", guilty+1, g.Verdict, g.Reasons)
		}
		want := fmt.Sprintf("a:%d got nothing from ", guilty+1)
		if !strings.HasPrefix(g.Reasons[0], want) || !strings.Contains(g.Reasons[0], "nginx left it out until 4.0") || !strings.Contains(g.Reasons[0], " 5") {
			t.Errorf("server %d gone: %q, want it to begin with %q and to say until when", guilty+1, g.Reasons[0], want)
		}
		for i := range 4 {
			if i != guilty && strings.Contains(strings.Join(append(g.Reasons, g.Notes...), " "), fmt.Sprint("a:", i+1)) {
				t.Errorf("server %d gone: %q, %q accuse another", guilty+1, g.Reasons, g.Notes)
			}
		}
	}
}

// What happens at a server around its restart is told of it, and what happens later or elsewhere is not.
func TestTouchedByRestart(t *testing.T) {
	began := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	_, evidence := spread(8, func(n int, _ time.Duration) int { return n % 2 })
	guilty, other := evidence["g"].Timelines["a:2"], evidence["g"].Timelines["a:1"]
	for _, tl := range []*tally.Timeline{guilty, other} {
		tl.Failed.Add(1500*time.Millisecond, 5) // long before
		tl.Bad.Add(6*time.Second, 7)            // long after
	}
	guilty.Failed.Add(2900*time.Millisecond, 3)
	guilty.Bad.Add(2950*time.Millisecond, 2)
	other.Bad.Add(2950*time.Millisecond, 4)
	guilty.Sent.Add(2960*time.Millisecond, 6) // and waited until 3.5 s
	guilty.Done.Add(3500*time.Millisecond, 6)
	in := Input{
		Balancer: conf(balancer.RoundRobin, 1, 1), Evidence: evidence, Began: began, Warmup: time.Second,
		Restarted: []Restart{{Addr: "a:2", At: began.Add(3 * time.Second), Began: []int{8}, Ended: []int{7}}},
	}
	want := run.Event{T: 2, Addr: "a:2", Text: "was restarted: process 8 took the place of 7", Retried: 3, Failed: 2, UnderWay: 6}
	if got := Restarts(in); len(got) != 1 || got[0] != want {
		t.Errorf("Restarts: got %+v, want %+v", got, want)
	}
	in.Restarted[0].At = began.Add(500 * time.Millisecond) // in the warm-up
	want.T, want.Retried, want.Failed, want.UnderWay = -0.5, 0, 0, 0
	if got := Restarts(in); len(got) != 1 || got[0] != want {
		t.Errorf("Restarts in the warm-up: got %+v, want %+v", got, want)
	}
}

// Connections that stay with one server are the unit where each request should be drawn.
func TestConnections(t *testing.T) {
	e := tally.Evidence{Connections: map[string]tally.Connections{"a:1": {Opened: 5, Requests: 500}, "a:2": {Opened: 3, Requests: 300}}}
	groups := got(500, 300)
	Explain(groups, Input{Balancer: conf(balancer.Random, 1, 1), Evidence: map[string]tally.Evidence{"g": e}})
	g := groups[0]
	if said := strings.Join(g.Notes, " "); g.Verdict == run.Fail || !strings.Contains(said, "8 connections over 2 servers need not be even; 73 %") {
		t.Errorf("5 and 3 of 8 connections: %s, %q, %q", g.Verdict, g.Reasons, g.Notes)
	}
	e.Wandered = 1
	groups = got(500, 300)
	Explain(groups, Input{Balancer: conf(balancer.Random, 1, 1), Evidence: map[string]tally.Evidence{"g": e}})
	if groups[0].Verdict != run.Fail {
		t.Errorf("500 and 300 requests, each drawn: %s", groups[0].Verdict)
	}
	e = tally.Evidence{Connections: map[string]tally.Connections{"a:1": {Opened: 40, Requests: 400}}}
	groups = got(400, 0)
	Explain(groups, Input{Balancer: conf(balancer.Random, 1, 1), Evidence: map[string]tally.Evidence{"g": e}})
	if groups[0].Verdict != run.Fail {
		t.Errorf("40 connections, all to one: %s, %q", groups[0].Verdict, groups[0].Reasons)
	}
}

// Turns that are given to connections are judged by connections; a load that one server alone answered is judged by
// requests, for its connections had nowhere else to go.
func TestTurnsOfConnections(t *testing.T) {
	conf := func() *balancer.Config {
		g := balancer.Group{Name: "g", Method: "roundrobin", Promise: &balancer.Promise{Kind: balancer.Exact, Within: 1}}
		for _, addr := range []string{"a", "b", "c"} {
			g.Servers = append(g.Servers, balancer.Server{Addr: addr, Weight: 1})
		}
		return &balancer.Config{Balancer: "x", Workers: 1, Groups: []balancer.Group{g}}
	}
	for _, tt := range []struct {
		connections [3]int64
		want        run.Verdict
		note        string
	}{
		{[3]int64{3, 2, 2}, run.Pass, "are judged: 3:2:2 of 7 connections."},
		{[3]int64{5, 1, 1}, run.Fail, "are judged: 5:1:1 of 7 connections."},
		{[3]int64{1, 1, 0}, run.Info, "are judged: 1:1:0 of 2 connections."},
		{[3]int64{7, 0, 0}, run.Fail, ""},
	} {
		g := run.Group{Name: "g"}
		e := tally.Evidence{Connections: map[string]tally.Connections{}}
		for i, n := range tt.connections {
			if addr := []string{"a", "b", "c"}[i]; n > 0 {
				g.Upstreams = append(g.Upstreams, run.Upstream{Addr: addr, Requests: 100 * n})
				e.Connections[addr] = tally.Connections{Opened: n, Requests: 100 * n}
				g.Requests += 100 * n
			}
		}
		groups := []run.Group{g}
		Explain(groups, Input{Balancer: conf(), Evidence: map[string]tally.Evidence{"g": e}})
		got := strings.Join(groups[0].Notes, " ")
		if groups[0].Verdict != tt.want || !strings.Contains(got, tt.note) || strings.Contains(got, "are judged") != (tt.note != "") {
			t.Errorf("%v: got %s, %q; want %s, %q", tt.connections, groups[0].Verdict, got, tt.want, tt.note)
		}
	}
	if got := part(1); got != "all" {
		t.Errorf("of all draws: got %q", got)
	}
}
