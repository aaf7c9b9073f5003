package app

import (
	"context"
	"math"
	"strings"

	"github.com/valyala/fasthttp"
)

// DrawFunc draws n integers, in this process or in another, and appends the JSON object of number to count that
// /api/randoms answers with to b. An error means that it could not be done now, for example because too many
// draws wait already: the client is told to come back. What is worth a log entry is the function's to log.
type DrawFunc func(ctx context.Context, b []byte, n int64) ([]byte, error)

// randoms answers /api/randoms.
func (a *App) randoms(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetContentType(contentJSON)
	h.SetCanonical(cacheControl, noStore)

	n := a.cfg.CantDefault
	if given, ok := parseInt(string(ctx.QueryArgs().Peek("cant"))); ok && given != 0 {
		n = given
		if n < 0 {
			n = -n
		}
	}
	if n > a.cfg.CantMax {
		jsonError(ctx, fasthttp.StatusBadRequest, "cant is above the most allowed", map[string]any{"cant_max": a.cfg.CantMax})
		return
	}
	if a.cfg.Draw == nil {
		busy(ctx)
		jsonError(ctx, fasthttp.StatusServiceUnavailable, "this process draws no numbers", nil)
		return
	}
	body, err := a.cfg.Draw(ctx, ctx.Response.SwapBody(nil), n) // the memory of an earlier answer
	if err != nil {
		busy(ctx)
		jsonError(ctx, fasthttp.StatusServiceUnavailable, err.Error(), nil)
		return
	}
	ctx.Response.SwapBody(body)
}

// parseInt reads text as JavaScript's parseInt(text) does: white space, a sign, then as many digits as there
// are; hexadecimal after 0x. ok is false where that gives NaN. What int64 can't hold becomes its largest or
// smallest-but-one value, so that a result can always be negated.
func parseInt(text string) (n int64, ok bool) {
	text = strings.TrimLeftFunc(text, jsSpace)
	negative := false
	if text != "" && (text[0] == '+' || text[0] == '-') {
		negative = text[0] == '-'
		text = text[1:]
	}
	base := int64(10)
	if len(text) >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
		base, text = 16, text[2:]
	}
	for i := range len(text) {
		d := digit(text[i])
		if d >= base {
			break
		}
		ok = true
		if n > (math.MaxInt64-d)/base {
			n = math.MaxInt64
			break
		}
		n = n*base + d
	}
	if negative {
		n = -n
	}
	return n, ok
}

func digit(c byte) int64 {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0')
	case c >= 'a' && c <= 'f':
		return int64(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int64(c-'A') + 10
	}
	return math.MaxInt64
}

// jsSpace is ECMAScript's WhiteSpace and LineTerminator (ECMA-262, 12.2 and 12.3).
func jsSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', ' ', '\n', '\r', '\u00a0', '\u1680', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\ufeff':
		return true
	}
	return r >= '\u2000' && r <= '\u200a'
}
