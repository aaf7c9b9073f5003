package serve

import (
	"bytes"
	"time"

	"github.com/valyala/fasthttp"
)

// MaxBody is the longest body of a request that is read, in bytes: the largest is a form with three fields.
const MaxBody = 64 << 10

// Further limits of one connection.
const (
	headBuffer   = 8 << 10
	answerBuffer = 12 << 10 // the counts of a small draw with their head, in one write
	fieldsMost   = 256      // headers, cookies, fields of a query or a form
	atOnce       = 8192     // connections, without websockets; further ones get 503
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 75 * time.Second // longer than nginx keeps an idle upstream connection (60 s), so that nginx ends it
)

// Limited returns a server around handler with the limits of this package.
func Limited(handler fasthttp.RequestHandler) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:               handler,
		Name:                  "balanceo",
		Concurrency:           atOnce,
		ReadBufferSize:        headBuffer,
		WriteBufferSize:       answerBuffer,
		MaxRequestBodySize:    MaxBody,
		ReadTimeout:           readTimeout,
		IdleTimeout:           idleTimeout,
		WriteTimeout:          writeTimeout,
		NoDefaultContentType:  true,
		CloseOnShutdown:       true,
		StreamRequestBody:     false,
		SecureErrorLogMessage: true,

		DisablePreParseMultipartForm: true, // nobody here takes one
	}
}

// countable refuses what has more fields than anybody sends, and closes the connection: as long as that is open, fasthttp
// keeps the room for each, up to sixty times the size of what was sent.
func (s *Server) countable(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		headers := ctx.Request.Header.RawHeaders()
		if many(headers, '\n') || many(headers, ';') || many(ctx.RequestURI(), '&') || many(ctx.Request.Body(), '&') {
			answerPlainly(ctx, fasthttp.StatusBadRequest)
			ctx.SetConnectionClose()
			s.cfg.Slot.CountOther(fasthttp.StatusBadRequest)
			return
		}
		next(ctx)
	}
}

func many(text []byte, separator byte) bool {
	return len(text) > fieldsMost && bytes.Count(text, []byte{separator}) >= fieldsMost
}
