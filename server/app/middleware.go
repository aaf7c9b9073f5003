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

// headerLine is a header in the form that costs least to set.
type headerLine struct{ name, value []byte }

func securityHeaders() []headerLine {
	return []headerLine{
		{[]byte("X-Content-Type-Options"), []byte("nosniff")},
		{[]byte("X-Frame-Options"), []byte("DENY")},
		// Not "no-referrer": with that, browsers send "Origin: null" with the pages' own forms.
		{[]byte("Referrer-Policy"), []byte("same-origin")},
		{[]byte("Content-Security-Policy"), []byte(contentPolicy)},
	}
}

// guard is around every route: it turns a panic into a 500 and a log entry, and adds the security headers.
func (a *App) guard(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	headers := securityHeaders()
	return func(ctx *fasthttp.RequestCtx) {
		defer func() {
			if cause := recover(); cause != nil {
				a.panics.Add(1)
				slog.Error("request panicked", "method", string(ctx.Method()), "path", string(ctx.Path()),
					"cause", cause, "stack", string(debug.Stack()))
				ctx.Response.Reset()
				a.pages.failure.serve(ctx)
			}
			for _, h := range headers {
				ctx.Response.Header.SetCanonical(h.name, h.value)
			}
		}()
		next(ctx)
	}
}
