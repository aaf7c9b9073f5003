package serve

import (
	"errors"
	"io"
	"net"
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

// What can't be read is answered also on a connection that was idle for longer than an answer may take.
func TestUnreadableAfterIdle(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if err := here.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil { // of the answer before
		t.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	ctx.Init2(here, nil, false)
	answerUnreadable(&ctx, errors.New("unreadable"))
	go func() { _, _ = io.Copy(io.Discard, there) }() // ends with the connection
	if _, err := ctx.Response.WriteTo(here); err != nil {
		t.Errorf("the answer %d can't be written: %v", ctx.Response.StatusCode(), err)
	}
}
