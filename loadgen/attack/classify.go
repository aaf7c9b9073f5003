package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Classes of failure. A class is what went wrong, not with whom, so that there is a handful of them however
// many requests fail. Those that begin with connect, dns or tls, and NoPorts, never reached a server.
const (
	ConnectRefused     = "connect_refused"     // nothing listens
	ConnectTimeout     = "connect_timeout"     // no connection within the time of a request
	ConnectUnreachable = "connect_unreachable" // no way to the network or the host
	ConnectFailed      = "connect_failed"      // any other failure to connect
	NoPorts            = "no_ports"            // this machine's ephemeral ports to the target are used up
	NoFiles            = "no_files"            // this process may not open more connections
	DNS                = "dns"                 // the host's name can't be resolved
	TLS                = "tls"                 // handshake or certificate
	Timeout            = "timeout"             // no whole answer within the time of a request
	Reset              = "reset"               // the connection was broken off
	EOF                = "eof"                 // the connection was closed before the answer was complete
	BadResponse        = "bad_response"        // the answer is not HTTP/1.1
	HTTP4xx            = "http_4xx"            // answered with a status from 400 to 499
	HTTP5xx            = "http_5xx"            // answered with a status from 500 on
	Interrupted        = "interrupted"         // under way when the attack was ended from outside
	Other              = "other"
)

// phase tells in which part of a request an error occurred. Errors of these types carry the cause.
type (
	dialError      struct{ error }
	handshakeError struct{ error }
	responseError  struct{ error }
)

func (e dialError) Unwrap() error      { return e.error }
func (e handshakeError) Unwrap() error { return e.error }
func (e responseError) Unwrap() error  { return e.error }

// Class sorts a failure by its type, never by its text; empty for nil.
func Class(err error) string {
	if err == nil {
		return ""
	}
	var (
		dns       *net.DNSError
		dial      dialError
		handshake handshakeError
		response  responseError
		cert      *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &dns):
		return DNS
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return NoPorts
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return NoFiles
	case errors.As(err, &dial):
		return dialClass(err)
	case errors.As(err, &handshake) && isTimeout(err):
		return ConnectTimeout
	case errors.As(err, &handshake), errors.As(err, &cert), errors.As(err, &record):
		return TLS
	case errors.As(err, &op) && op.Op == "remote error": // how crypto/tls reports an alert of the other side
		return TLS
	case isTimeout(err):
		return Timeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return EOF
	case errors.As(err, &response):
		return BadResponse
	}
	return Other
}

func dialClass(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return ConnectUnreachable
	case isTimeout(err):
		return ConnectTimeout
	}
	return ConnectFailed
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		(errors.As(err, &n) && n.Timeout())
}

// statusClass is the class of an answer's status; empty where it is none of a failure.
func statusClass(status int) string {
	switch {
	case status >= 500:
		return HTTP5xx
	case status >= 400:
		return HTTP4xx
	}
	return ""
}

// Reached tells whether a request whose failure has that class may have reached a server.
func Reached(class string) bool {
	switch class {
	case ConnectRefused, ConnectTimeout, ConnectUnreachable, ConnectFailed, NoPorts, NoFiles, DNS, TLS:
		return false
	}
	return true
}
