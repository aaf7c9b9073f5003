package app

import (
	"bytes"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// contentPolicy allows the pages what they use: their own style sheet, script and websocket, and pictures of
// products from anywhere. No inline script or style.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' http: https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headerLine is a header in the form that costs least to set.
type headerLine struct{ name, value []byte }

// securityHeaders are those of every answer, and those that mean something to a page only.
func securityHeaders() (all, page []headerLine) {
	return []headerLine{{[]byte("X-Content-Type-Options"), []byte("nosniff")}},
		[]headerLine{
			{[]byte("X-Frame-Options"), []byte("DENY")},
			// Not "no-referrer": with that, browsers send "Origin: null" with the pages' own forms.
			{[]byte("Referrer-Policy"), []byte("same-origin")},
			{[]byte("Content-Security-Policy"), []byte(contentPolicy)},
		}
}

// guard turns panics into log entries: no goroutine of the application may end the process.
type guard struct {
	panics atomic.Int64 // tests look at it
}

// run does work. It reports false if work panicked.
func (g *guard) run(what string, work func()) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			g.panics.Add(1)
			slog.Error("panicked", "what", what, "cause", cause, "stack", string(debug.Stack()))
		}
	}()
	work()
	return true
}

// around is around every route: it answers 500 where one panics, and adds the security headers.
func (g *guard) around(next fasthttp.RequestHandler, failure *page) fasthttp.RequestHandler {
	all, ofPages := securityHeaders()
	html := []byte(contentHTML)
	return func(ctx *fasthttp.RequestCtx) {
		if !g.run("request", func() { next(ctx) }) {
			ctx.Response.Reset()
			failure.serve(ctx)
		}
		h := &ctx.Response.Header
		for _, line := range all {
			h.SetCanonical(line.name, line.value)
		}
		if bytes.Equal(h.ContentType(), html) {
			for _, line := range ofPages {
				h.SetCanonical(line.name, line.value)
			}
		}
	}
}
