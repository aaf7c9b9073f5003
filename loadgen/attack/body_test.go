package attack

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// TestLargeBodies: neither engine keeps a body that nobody looks into, and both look into as much of one.
func TestLargeBodies(t *testing.T) {
	const size = 8 << 20
	body := bytes.Repeat([]byte{'x'}, size)
	copy(body, "first")
	copy(body[maxText-2:], "cut")
	copy(body[2*maxText:], "late")
	addr := bare(t, func(ctx *fasthttp.RequestCtx) { ctx.Response.SetBodyRaw(body) })
	for _, engine := range []Engine{Fast, Vegeta} {
		for text, want := range map[string]tally.Class{"": tally.NoError, "first": tally.NoError, "cut": tally.WrongBody, "late": tally.WrongBody} {
			var hits list
			cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(20), 0, 150*time.Millisecond), &hits)
			cfg.Engine, cfg.Expect.Body, cfg.Timeout = engine, text, time.Minute
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := Run(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := errorsOf(hits); got[want] != 3 || len(got) != 1 {
				t.Errorf("%s, %q: %v, want 3 of class %q", engine, text, got, want)
			}
			if hits[0].BytesIn != size {
				t.Errorf("%s, %q: %d bytes in, want %d", engine, text, hits[0].BytesIn, size)
			}
			if used := after.TotalAlloc - before.TotalAlloc; text == "" && used > size {
				t.Errorf("%s allocates %d bytes for 3 bodies of %d", engine, used, size)
			}
		}
	}
}
