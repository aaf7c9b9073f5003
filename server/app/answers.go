package app

import (
	"encoding/json"
	"maps"

	"github.com/valyala/fasthttp"
)

// Content types of what the application itself writes.
const (
	contentJSON = "application/json" // which is UTF-8 (RFC 8259, 8.1)
	contentHTML = "text/html; charset=utf-8"
)

// What is different at each request is not to be kept, in the form that costs least to set.
var cacheControl, noStore = []byte(fasthttp.HeaderCacheControl), []byte("no-store") //nolint:gochecknoglobals // constants

// retryAfter is what a 503 asks the client to wait, in seconds.
const retryAfter = "1"

// busy marks the answer as one to try again.
func busy(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
}

// jsonError answers with {"error": text, …more}.
func jsonError(ctx *fasthttp.RequestCtx, status int, text string, more map[string]any) {
	body := map[string]any{"error": text}
	maps.Copy(body, more)
	writeJSON(ctx, status, body)
}

func writeJSON(ctx *fasthttp.RequestCtx, status int, body any) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType(contentJSON)
	ctx.Response.SetBodyRaw(mustJSON(body))
}

// mustJSON encodes what JSON can carry.
func mustJSON(body any) []byte {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return encoded
}

// health says whether this process takes requests. It is ready as soon as it listens, with or without the
// database: /info and /api/randoms need none, and a process must not be taken out of service by what
// restarting it can't mend. What the database does is said beside it.
func (a *App) health(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	if a.draining.Load() {
		busy(ctx)
		writeJSON(ctx, fasthttp.StatusServiceUnavailable, map[string]any{"status": "draining"})
		return
	}
	database := "none"
	if a.cfg.Store != nil {
		database = string(a.cfg.Store.State())
	}
	writeJSON(ctx, fasthttp.StatusOK, map[string]any{"status": "ready", "database": database})
}
