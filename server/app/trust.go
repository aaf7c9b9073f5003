package app

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/valyala/fasthttp"
)

// trusted tells whether what the request's headers say of the client counts: only where a proxy on this machine
// sent it, as anybody else could say it. Whom that proxy trusts in turn is said in nginx.conf.
func trusted(ctx *fasthttp.RequestCtx) bool {
	tcp, ok := ctx.RemoteAddr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
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
