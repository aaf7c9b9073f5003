package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"balanceo/server/store"
)

const signInFirst = "sign in first"

// socket answers GET /ws, to somebody who is signed in.
func (a *App) socket(ctx *fasthttp.RequestCtx) {
	if status, why := unacceptable(ctx); why != "" {
		jsonError(ctx, status, why, nil)
		return
	}
	if !opens(&ctx.Request.Header) {
		ctx.Response.Header.Set(secVersion, "13")
		jsonError(ctx, fasthttp.StatusBadRequest, "not a handshake of websocket version 13", nil)
		return
	}
	c := &client{app: a, out: make(chan *websocket.PreparedMessage, messagesDue), look: make(chan struct{}, 1), closing: make(chan struct{})}
	c.key = sessionKey(ctx.Request.Header.Cookie(cookieName))
	held, err := a.touch(c.key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		jsonError(ctx, fasthttp.StatusUnauthorized, signInFirst, nil)
		return
	case err != nil:
		a.fail(ctx, err)
		return
	}
	c.end = held.ExpiresAt
	a.hijack(ctx, c)
}

// hijack makes a websocket of the connection. The upgrader answers, not fasthttp, so that nothing of the request stays in
// memory for as long as the websocket is open.
func (a *App) hijack(ctx *fasthttp.RequestCtx, c *client) {
	request := &http.Request{Method: http.MethodGet, Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}} // as was found
	for _, name := range []string{secVersion, secKey} {
		request.Header.Set(name, string(ctx.Request.Header.Peek(name)))
	}
	ctx.SetStatusCode(fasthttp.StatusSwitchingProtocols)
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(hijacked net.Conn) {
		early, err := drain(hijacked)
		if err != nil {
			return
		}
		conn, kept := detach(hijacked)
		answer := http.Header{} // whatever is around the routes has added to every answer
		for name, value := range ctx.Response.Header.All() {
			if name := string(name); name != fasthttp.HeaderContentType && name != fasthttp.HeaderContentLength {
				answer[http.CanonicalHeaderKey(name)] = []string{string(value)}
			}
		}
		if c.conn, err = a.upgrader.Upgrade(&handshake{conn: conn, early: early}, request, answer); err != nil {
			_ = conn.Close()
			return
		}
		serve := func() { a.guard.run("websocket", c.serve) }
		if kept {
			go serve() // the hub waits for it
			return
		}
		serve()
	})
}

// drain returns what the client has sent already, and may have waited with.
func drain(hijacked net.Conn) (early []byte, err error) {
	if err := hijacked.SetReadDeadline(time.Unix(1, 0)); err != nil { // only what is in the buffer can be read
		return nil, err
	}
	early, err = io.ReadAll(hijacked)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return early, hijacked.SetDeadline(time.Time{})
}

// detach takes a connection from fasthttp, if whoever accepted it provides for that.
func detach(hijacked net.Conn) (conn net.Conn, kept bool) {
	if h, ok := hijacked.(interface{ UnsafeConn() net.Conn }); ok {
		if d, ok := h.UnsafeConn().(interface{ Detach() net.Conn }); ok {
			return d.Detach(), true
		}
	}
	return hijacked, false
}

// handshake is what the upgrader needs for its answer, as an http.ResponseWriter that can be hijacked.
type handshake struct {
	conn  net.Conn
	early []byte
}

func (h *handshake) Header() http.Header       { return http.Header{} }
func (h *handshake) Write([]byte) (int, error) { return 0, http.ErrHijacked }
func (h *handshake) WriteHeader(int)           {}

func (h *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r := bufio.NewReaderSize(bytes.NewReader(h.early), len(h.early))
	_, err := r.Peek(len(h.early))
	return h.conn, bufio.NewReadWriter(r, bufio.NewWriterSize(h.conn, 1)), err
}

// Headers of a handshake (RFC 6455, 4.1).
const (
	secVersion = "Sec-WebSocket-Version"
	secKey     = "Sec-WebSocket-Key"
)

// opens tells whether the request is a handshake of the version that the upgrader knows.
func opens(h *fasthttp.RequestHeader) bool {
	key, err := base64.StdEncoding.DecodeString(string(h.Peek(secKey)))
	return string(h.Peek(secVersion)) == "13" && err == nil && len(key) == 16
}

// unacceptable says why a request can't become a websocket; why is empty if it can.
func unacceptable(ctx *fasthttp.RequestCtx) (status int, why string) {
	switch {
	case !ctx.Request.Header.ConnectionUpgrade() || !bytes.EqualFold(ctx.Request.Header.Peek("Upgrade"), []byte("websocket")):
		return fasthttp.StatusBadRequest, "this address is for websockets"
	case !ownOrigin(ctx):
		return fasthttp.StatusForbidden, "this page belongs to another site"
	case !hasSessionCookie(ctx):
		return fasthttp.StatusUnauthorized, signInFirst
	}
	return 0, ""
}

func newUpgrader() *websocket.Upgrader {
	return &websocket.Upgrader{
		HandshakeTimeout: writeWait,
		ReadBufferSize:   512,
		WriteBufferSize:  1 << 10,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      func(*http.Request) bool { return true }, // checked before, as everything is
	}
}

// touch reads and renews a session.
func (a *App) touch(key string) (store.Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return a.sessions.provider.touch(ctx, key)
}
