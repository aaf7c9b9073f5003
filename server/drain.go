package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"
)

// How a process ends without losing a request.
//
// It stops accepting; what waits in the socket's queue is accepted by the other processes that have it. From
// then on each answer says "Connection: close". What is open then is either used once more, and so closed by
// agreement, or idle. Closing an idle connection can cross a request on its way, which nginx repeats for GET
// but not for POST. nginx takes the connection that it used last first; so those that stay unused for
// quietTime are at the bottom of its stack, and the chance of such a crossing is the time that the closing
// takes to arrive over the time between two requests that reach so far down.
const (
	quietTime   = 300 * time.Millisecond
	drainLimit  = 7 * time.Second        // of the whole; less than cluster.Grace
	orphanLimit = 500 * time.Millisecond // when the parent has died and nobody waits
)

// drain ends the server within limit.
func (s *server) drain(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	if err := s.ln.Close(); err != nil {
		slog.Warn("closing the listener", "error", err)
	}
	close(s.draining)
	var acceptErr error
	select { // whatever was accepted is known from here on
	case acceptErr = <-s.served:
	case <-ctx.Done():
	}
	goodbye := make(chan error, 1)
	go func() { goodbye <- s.app.Close(ctx) }()
	left := s.conns.end(ctx)
	err := errors.Join(acceptErr, <-goodbye)
	slog.Info("drained", "took", time.Since(begin).Round(time.Millisecond), "left", left)
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("%d connections were busy for %v after the order to end", left, limit))
	}
	return err
}

// closingWhenDraining asks the client to close the connection after an answer, once the process drains.
func (s *server) closingWhenDraining(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		next(ctx)
		select {
		case <-s.draining:
			if !ctx.Hijacked() {
				ctx.SetConnectionClose()
			}
		default:
		}
	}
}
