package app

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/valyala/fasthttp"
)

// trusted tells whether what the request's headers say of the client counts: only where a proxy on this machine
// sent it, or one that was named, as anybody else could say it. Whom that proxy trusts in turn is said in nginx.conf.
func trusted(ctx *fasthttp.RequestCtx) bool {
	tcp, ok := ctx.RemoteAddr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() || ctx.UserValue(named{}) != nil
}

// named marks a request that came from a proxy that was named.
type named struct{}

// trusting marks the requests that come from the networks of proxies.
func trusting(proxies []netip.Prefix, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	if len(proxies) == 0 {
		return next
	}
	return func(ctx *fasthttp.RequestCtx) {
		from, _ := netip.AddrFromSlice(ctx.RemoteIP())
		from = from.Unmap()
		for _, p := range proxies {
			if p.Contains(from) {
				ctx.SetUserValue(named{}, true)
				break
			}
		}
		next(ctx)
	}
}

// secure tells whether the browser's connection is encrypted.
func secure(ctx *fasthttp.RequestCtx) bool {
	return ctx.IsTLS() ||
		trusted(ctx) && bytes.EqualFold(ctx.Request.Header.Peek(fasthttp.HeaderXForwardedProto), []byte("https"))
}

// clientAddress is where the request comes from. Of an IPv6 address it is the network: one client has all of it.
func clientAddress(ctx *fasthttp.RequestCtx) string {
	addr, _ := netip.AddrFromSlice(ctx.RemoteIP())
	if trusted(ctx) {
		if told, err := netip.ParseAddr(string(ctx.Request.Header.Peek("X-Real-IP"))); err == nil {
			addr = told
		}
	}
	if addr = addr.Unmap(); addr.Is6() {
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}
