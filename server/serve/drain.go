package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"
)

// Drain ends the server within limit without losing a request. goodbye tells those who hold their connections for
// good, such as websockets, to leave.
//
// The process stops accepting; what waits in the socket's queue is accepted by the other processes that have it. From
// then on each answer says "Connection: close". What is open then is either used once more, and so closed by
// agreement, or idle. Closing an idle connection can cross a request on its way, which nginx repeats for GET
// but not for POST. nginx takes the connection that it used last first; so those that stay unused for
// quietTime are at the bottom of its stack, and the chance of such a crossing is the time that the closing
// takes to arrive over the time between two requests that reach so far down.
func (s *Server) Drain(ctx context.Context, limit time.Duration, goodbye func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	if err := s.ln.Close(); err != nil {
		slog.Warn("closing the listener", "error", err)
	}
	close(s.draining)
	var acceptErr error
	select { // whatever was accepted is known from here on
	case acceptErr = <-s.failed:
	case <-ctx.Done():
	}
	gone := make(chan error, 1)
	go func() { gone <- goodbye(ctx) }()
	left := s.conns.end(ctx)
	err := errors.Join(acceptErr, <-gone)
	close(s.stopBeat)
	s.beating.Wait()
	slog.Info("drained", "took", time.Since(begin).Round(time.Millisecond), "left", left)
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("%d connections were busy for %v after the order to end", left, limit))
	}
	return err
}

// closingWhenDraining asks the client to close the connection after an answer, once the process drains.
func (s *Server) closingWhenDraining(next fasthttp.RequestHandler) fasthttp.RequestHandler {
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
