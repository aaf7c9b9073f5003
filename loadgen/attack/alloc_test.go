package attack

import (
	"runtime"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
	"balanceo/topology/layout"
)

// TestAllocations counts those of client, server and tally together: a hit that allocates would show in each.
func TestAllocations(t *testing.T) {
	addr := bare(t, func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.Set(layout.HeaderUpstream, "127.0.0.1:8080")
		ctx.Response.Header.Set(layout.HeaderUpstreamGroup, "node_app")
		ctx.Response.Header.Set(layout.HeaderInstance, "site1")
		ctx.Response.Header.Set(layout.HeaderWorker, "4711")
		ctx.SetBodyString("ok")
	})
	const hits = 5000
	cfg := config(localTarget(t, addr), pace.Unpaced(0, time.Hour).First(hits), tally.New(tally.Config{Routes: 1}))
	cfg.Workers = 4
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.Mallocs - before.Mallocs; got > hits/2 {
		t.Errorf("%d hits made %d allocations, want fewer than one in two", hits, got)
	}
}
