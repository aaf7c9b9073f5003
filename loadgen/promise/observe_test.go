package promise

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"balanceo/topology/balancer"
)

// told is a balancer whose program is there, and that promises what can be seen.
type told struct{ balancer.Balancer }

func (told) Name() string       { return "told" }
func (told) Programs() []string { return []string{os.Args[0]} }
func (told) Promise(_ context.Context, s *balancer.Site, c *balancer.Config) error {
	for i := range c.Groups {
		c.Groups[i].Promise = &balancer.Promise{Kind: balancer.Exact, Because: "tried " + s.Program}
	}
	return nil
}

func group(weights ...int) []balancer.Group {
	g := balancer.Group{Name: "g", Promise: &balancer.Promise{Kind: balancer.Exact, Because: "configured"}}
	for i, w := range weights {
		g.Servers = append(g.Servers, balancer.Server{Addr: string(rune('a' + i)), Weight: w})
	}
	return []balancer.Group{g}
}

func says(weights ...int) balancer.State {
	var servers []balancer.ServerState
	for i, w := range weights {
		servers = append(servers, balancer.ServerState{Addr: string(rune('a' + i)), Weight: w, Up: w > 0})
	}
	return balancer.State{"g": servers}
}

// What a balancer says of itself is in force from when it said so, and goes when its configuration is read anew.
func TestComplete(t *testing.T) {
	start := time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	seen := func(from, at time.Time, weights ...int) observed { return observed{from, at, says(weights...)} }
	for name, tt := range map[string]struct {
		epochs []balancer.Epoch
		seen   []observed
		want   string // for each epoch: its beginning, weights (0: down), and who promised what
		said   string
	}{
		"as configured":  {nil, []observed{seen(at(0), at(0), 2, 1)}, "0 2:1 configured", ""},
		"a part of each": {nil, []observed{seen(at(0), at(0), 4, 2)}, "0 2:1 configured", ""},
		"one out": {
			nil,
			[]observed{seen(at(0), at(0), 2, 1), seen(at(1), at(1.1), 0, 1), seen(at(9), at(9.1), 2, 1)},
			"0 2:1 configured, 1.1 0:1 tried, 9.1 2:1 configured", "told itself said, when it was asked, that a is out.",
		},
		"another weight": {
			nil,
			[]observed{seen(at(0), at(0), 2, 1), seen(at(1), at(1.1), 2, 5)},
			"0 2:1 configured, 1.1 2:5 tried", "that b has the weight 5 and not 1.",
		},
		"rising": {
			nil,
			[]observed{seen(at(0), at(0), 8, 1), seen(at(1), at(1.1), 1, 1), seen(at(2), at(2.1), 4, 1), seen(at(3), at(3.1), 6, 1), seen(at(4), at(4.1), 8, 1)},
			"0 8:1 configured, 1.1 1:1 nothing, 4.1 8:1 configured", "that a has the weight 1 and not 8.",
		},
		"reload": { // in which it answers with the new weights before it is done
			[]balancer.Epoch{{Began: at(-9), Done: at(-8), Groups: group(2, 1)}, {Began: at(1), Done: at(2), Groups: group(3, 1)}},
			[]observed{seen(at(0), at(0), 2, 1), seen(at(1.4), at(1.5), 3, 1)},
			"-8 2:1 configured, 2 3:1 configured", "",
		},
		"out over a reload": {
			[]balancer.Epoch{{Began: at(-9), Done: at(-8), Groups: group(2, 1)}, {Began: at(1), Done: at(2), Groups: group(3, 1)}},
			[]observed{seen(at(0), at(0), 0, 1)},
			"-8 2:1 configured, 0 0:1 tried, 2 0:1 tried", "that a is out.",
		},
	} {
		o := &observer{balancer: told{}, site: &balancer.Site{}, seen: tt.seen}
		conf := &balancer.Config{Groups: group(2, 1), Epochs: tt.epochs}
		if name == "rising" {
			conf.Groups = group(8, 1)
		}
		said := o.complete(t.Context(), conf)
		var got []string
		for _, e := range conf.Epochs {
			var weights []string
			for _, s := range e.Groups[0].Servers {
				if s.Down {
					s.Weight = 0
				}
				weights = append(weights, string(rune('0'+s.Weight)))
			}
			who, _, _ := strings.Cut(e.Groups[0].Promise.Because, " ")
			if e.Groups[0].Promise.Kind == balancer.Nothing {
				who = "nothing"
			}
			got = append(got, strings.Join([]string{seconds(e.Done.Sub(start)), strings.Join(weights, ":"), who}, " "))
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: got epochs %s, want %s", name, text, tt.want)
		}
		if !strings.HasSuffix(said["g"], tt.said) || (said["g"] != "") != (tt.said != "") {
			t.Errorf("%s: said %q, want %q", name, said["g"], tt.said)
		}
	}
}

func seconds(d time.Duration) string {
	return strings.TrimSuffix(d.Round(time.Millisecond).String(), "s")
}
