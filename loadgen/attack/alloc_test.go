package attack

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
	"balanceo/topology/layout"
)

// ours is a shard that is not attacking, to send single hits with.
func ours(t testing.TB) *shard {
	t.Helper()
	addr := bare(t, func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.Set(layout.HeaderUpstream, "127.0.0.1:8080")
		ctx.Response.Header.Set(layout.HeaderUpstreamGroup, "node_app")
		ctx.Response.Header.Set(layout.HeaderInstance, "site1")
		ctx.Response.Header.Set(layout.HeaderWorker, "4711")
		ctx.SetBodyString("ok")
	})
	sink := tally.New(tally.Config{Routes: 1})
	cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(1000), 0, time.Hour), sink)
	dial, err := newDialer(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	w, err := cfg.Requests[0].encode(cfg.Target, cfg.UserAgent)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newShard(&attack{cfg: &cfg, dial: dial, requests: []wire{w}, abort: t.Context(), zero: time.Now()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func (s *shard) oneHit(n uint64) {
	l := s.take()
	s.post(l, tally.Hit{Due: s.cfg.Schedule.Due(n), Sent: s.now()})
	s.collect(l)
	s.give(l)
}

// TestAllocations counts those of client, server and tally together: a hit that allocates would show in a
// hundred.
func TestAllocations(t *testing.T) {
	s := ours(t)
	for n := range uint64(200) {
		s.oneHit(n)
	}
	var n uint64
	got := testing.AllocsPerRun(50, func() {
		for range 100 {
			s.oneHit(n)
			n++
		}
	})
	if got >= 100 {
		t.Errorf("100 hits made %v allocations, want fewer than one a hit", got)
	}
}

// BenchmarkHitOurs is a hit without vegeta's part.
func BenchmarkHitOurs(b *testing.B) {
	s := ours(b)
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		s.oneHit(n % 1000)
	}
}

// TestTrim closes the connections that only a burst needed.
func TestTrim(t *testing.T) {
	s := ours(t)
	burst := []*lane{s.take(), s.take(), s.take()}
	for _, l := range burst {
		s.post(l, tally.Hit{Sent: s.now()})
		s.collect(l)
		s.give(l)
	}
	s.trim()
	if len(s.lanes) != 3 || len(s.idle) != 3 {
		t.Errorf("just used: %d lanes, %d idle, want 3 and 3", len(s.lanes), len(s.idle))
	}
	for _, l := range burst[:2] {
		l.idleSince -= 2 * keepIdle
	}
	s.trim()
	if len(s.lanes) != 1 || len(s.idle) != 1 || s.idle[0] != burst[2] || burst[0].conn != nil || burst[2].conn == nil {
		t.Errorf("two unused for long: %d lanes, %d idle, want the third", len(s.lanes), len(s.idle))
	}
}
