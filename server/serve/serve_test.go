package serve

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestDelayed(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, 200 * time.Microsecond, 5 * time.Millisecond} {
		called := false
		h := delayed(func() time.Duration { return d }, func(*fasthttp.RequestCtx) { called = true })
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		begin := time.Now()
		h(&ctx)
		if took := time.Since(begin); took < d || !called {
			t.Errorf("delayed(%v) took %v, called %v; want at least %v and true", d, took, called, d)
		}
	}
}

func TestGracePeriodsOutlastEachOther(t *testing.T) {
	t.Parallel()
	periods := []struct {
		name string
		d    time.Duration
	}{
		{"quietTime", quietTime},
		{"OrphanLimit", OrphanLimit},
		{"DrainLimit", DrainLimit},
		{"WorkerGrace", WorkerGrace},
		{"InstanceGrace", InstanceGrace},
	}
	for i := 1; i < len(periods); i++ {
		if before, after := periods[i-1], periods[i]; after.d-before.d < 200*time.Millisecond {
			t.Errorf("%s (%v) is to outlast %s (%v)", after.name, after.d, before.name, before.d)
		}
	}
	if Silence < 4*BeatPeriod {
		t.Errorf("Silence (%v) is to outlast some BeatPeriods (%v)", Silence, BeatPeriod)
	}
}
