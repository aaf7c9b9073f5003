package main

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestDelayed(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, 200 * time.Microsecond, 5 * time.Millisecond} {
		called := false
		h := delayed(d, func(*fasthttp.RequestCtx) { called = true })
		begin := time.Now()
		h(&fasthttp.RequestCtx{})
		if took := time.Since(begin); took < d || !called {
			t.Errorf("delayed(%v) took %v, called %v; want at least %v and true", d, took, called, d)
		}
	}
}
