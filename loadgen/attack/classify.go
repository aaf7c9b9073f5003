package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"

	"balanceo/loadgen/tally"
)

// phase tells in which part of a request an error occurred. Errors of these types carry the cause.
type (
	dialError      struct{ error }
	handshakeError struct{ error }
	responseError  struct{ error }
	malformed      struct{ error } // whatever the parser says of a head that is all there, it is no end of the connection
)

func (e dialError) Unwrap() error      { return e.error }
func (e handshakeError) Unwrap() error { return e.error }
func (e responseError) Unwrap() error  { return e.error }

// classify sorts a failure by its type, never by its text.
func classify(err error) tally.Class {
	var (
		dns       *net.DNSError
		dial      dialError
		handshake handshakeError
		response  responseError
		head      malformed
		cert      *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case err == nil:
		return tally.NoError
	case errors.Is(err, context.Canceled): // by nobody but us
		return tally.Interrupted
	case errors.As(err, &dns):
		return tally.DNS
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return tally.NoPorts
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return tally.NoFiles
	case errors.As(err, &dial):
		return dialClass(err)
	case errors.As(err, &handshake) && isTimeout(err):
		return tally.ConnectTimeout
	case errors.As(err, &handshake), errors.As(err, &cert), errors.As(err, &record):
		return tally.TLS
	case errors.As(err, &op) && op.Op == "remote error": // how crypto/tls reports an alert of the other side
		return tally.TLS
	case errors.As(err, &head):
		return tally.BadResponse
	case isTimeout(err):
		return tally.Timeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return tally.Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return tally.EOF
	case errors.As(err, &response):
		return tally.BadResponse
	}
	return tally.Other
}

func dialClass(err error) tally.Class {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return tally.ConnectRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return tally.ConnectUnreachable
	case isTimeout(err):
		return tally.ConnectTimeout
	}
	return tally.ConnectFailed
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		(errors.As(err, &n) && n.Timeout())
}

// Expect is what an answer has to be to succeed.
type Expect struct {
	Status []int  // accepted statuses; none: those below 400
	Body   string // text that the body contains; empty: any body
}

// class judges an answer; body is only looked at where Body is set.
func (e *Expect) class(status int, body []byte) tally.Class {
	switch {
	case len(e.Status) > 0 && !slices.Contains(e.Status, status):
		return tally.WrongStatus
	case len(e.Status) > 0:
	case status >= 600:
		return tally.WrongStatus
	case status >= 500:
		return tally.HTTP5xx
	case status >= 400:
		return tally.HTTP4xx
	}
	if e.Body != "" && !bytes.Contains(body, []byte(e.Body)) {
		return tally.WrongBody
	}
	return tally.NoError
}
