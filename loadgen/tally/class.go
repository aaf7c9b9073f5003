package tally

// Class is what went wrong with a request: what, not with whom, so that there is a handful of them however many
// requests fail.
type Class uint8

// The classes of failure. NoError is that of a request that succeeded.
const (
	NoError            Class = iota
	ConnectRefused           // nothing listens
	ConnectTimeout           // no connection within the time of a request
	ConnectUnreachable       // no way to the network or the host
	ConnectFailed            // any other failure to connect
	NoPorts                  // this machine's ephemeral ports to the target are used up
	NoFiles                  // this process may not open more connections
	DNS                      // the host's name can't be resolved
	TLS                      // handshake or certificate
	Timeout                  // no whole answer within the time of a request
	Reset                    // the connection was broken off
	EOF                      // the connection was closed before the answer was complete
	BadResponse              // the answer is not HTTP
	HTTP4xx                  // answered with a status from 400 to 499
	HTTP5xx                  // answered with a status from 500 to 599
	WrongStatus              // answered with a status that -expect-status leaves out, or with none of HTTP's, as 999
	WrongBody                // answered without the text of -expect-body
	WebSocket                // the websocket was not opened
	Interrupted              // under way when the attack was ended from outside
	Other
	classes // how many there are
)

// String is the class's name in the record.
func (c Class) String() string {
	return [classes]string{
		"", "connect_refused", "connect_timeout", "connect_unreachable", "connect_failed", "no_ports", "no_files", "dns", "tls",
		"timeout", "reset", "eof", "bad_response", "http_4xx", "http_5xx", "wrong_status", "wrong_body", "websocket", "interrupted", "other",
	}[c]
}

// Reached tells whether a request that failed so may have reached a server.
func (c Class) Reached() bool { return c < ConnectRefused || c > TLS }

// unbounded tells whether a request that failed so would have taken longer than it was waited for.
func (c Class) unbounded() bool { return c == Timeout || c == ConnectTimeout || c == Interrupted }
