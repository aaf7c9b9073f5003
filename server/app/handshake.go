package app

import (
	"bytes"
	"context"
	"errors"
	"sync"

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
	err = a.upgrader.Upgrade(ctx, func(conn *websocket.Conn) {
		c.conn = conn
		a.guard.run("websocket", c.serve)
	})
	if err != nil { // what the upgrader says of it is meant for programmers
		ctx.Response.Header.Set("Sec-WebSocket-Version", "13")
		jsonError(ctx, fasthttp.StatusBadRequest, "not a handshake of websocket version 13", nil)
	}
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

func newUpgrader() *websocket.FastHTTPUpgrader {
	return &websocket.FastHTTPUpgrader{
		HandshakeTimeout: writeWait,
		ReadBufferSize:   1 << 10,
		WriteBufferSize:  1 << 10,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      func(*fasthttp.RequestCtx) bool { return true }, // checked before
		Error:            func(*fasthttp.RequestCtx, int, error) {},       // answered by the caller
	}
}

// touch reads and renews a session.
func (a *App) touch(key string) (store.Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return a.sessions.provider.touch(ctx, key)
}
