package app

import (
	"log/slog"
	"runtime/debug"

	"github.com/valyala/fasthttp"
)

// contentPolicy allows the pages what they use: their own style sheet, script and websocket, and pictures of
// products from anywhere. No inline script or style.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' http: https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard is around every route: it turns a panic into a 500 and a log entry, and adds the security headers.
func (a *App) guard(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		defer func() {
			if cause := recover(); cause != nil {
				a.panics.Add(1)
				slog.Error("request panicked", "method", string(ctx.Method()), "path", string(ctx.Path()),
					"cause", cause, "stack", string(debug.Stack()))
				ctx.Response.Reset()
				a.pages.failure.serve(ctx)
			}
			h := &ctx.Response.Header
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Frame-Options", "DENY")
			// Not "no-referrer": with that, browsers send "Origin: null" with the pages' own forms.
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Content-Security-Policy", contentPolicy)
		}()
		next(ctx)
	}
}
