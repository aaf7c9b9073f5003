package app

import (
	"time"

	"github.com/valyala/fasthttp"
)

// Limits of one connection. A request is small: the largest is a form with three fields.
const (
	maxBody     = 64 << 10
	headBuffer  = 8 << 10
	readTimeout = 10 * time.Second
	idleTimeout = 75 * time.Second // longer than nginx keeps an idle upstream connection (60 s), so that nginx ends it
)

// NewServer returns a server with the application's limits around handler. Callers add what is theirs, such
// as a logger, before serving.
func NewServer(handler fasthttp.RequestHandler) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:               handler,
		Name:                  "balanceo",
		ReadBufferSize:        headBuffer,
		MaxRequestBodySize:    maxBody,
		ReadTimeout:           readTimeout,
		IdleTimeout:           idleTimeout,
		WriteTimeout:          30 * time.Second,
		NoDefaultContentType:  true,
		CloseOnShutdown:       true,
		StreamRequestBody:     false,
		SecureErrorLogMessage: true,
	}
}
