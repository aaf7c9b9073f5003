package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"balanceo/topology/layout"
)

// By is how an answer tells who gave it, where no balancer says so in the headers of package layout. The zero value is
// those headers.
type By struct {
	where source
	name  string   // of the header or the cookie
	path  []string // of the JSON value
}

type source uint8

const (
	inHeaders source = iota // those of package layout
	inHeader
	inCookie
	inJSON
)

// AcceptedBy names what ParseBy reads, for messages.
const AcceptedBy = "header:NAME, cookie:NAME or json:PATH, for example header:X-Served-By or json:server.name"

// ParseBy reads header:NAME, cookie:NAME or json:PATH, keys joined by dots.
func ParseBy(text string) (By, error) {
	kind, name, _ := strings.Cut(text, ":")
	switch {
	case name == "":
	case kind == "header":
		return By{where: inHeader, name: http.CanonicalHeaderKey(name)}, nil
	case kind == "cookie":
		return By{where: inCookie, name: name}, nil
	case kind == "json":
		return By{where: inJSON, name: name, path: strings.Split(name, ".")}, nil
	}
	return By{}, fmt.Errorf("want %s", AcceptedBy)
}

// String is the name of the one group of servers that By sees.
func (b By) String() string {
	return [...]string{inHeaders: "", inHeader: "header:", inCookie: "cookie:", inJSON: "json:"}[b.where] + b.name
}

// text tells whether the body has to be kept.
func (b By) text() bool { return b.where == inJSON }

// peek finds who gave an answer: the group and the server.
func (b By) peek(h *fasthttp.ResponseHeader, body []byte) (group, server []byte) {
	switch b.where {
	case inHeaders:
		return last(h.PeekAll(layout.HeaderUpstreamGroup)), last(h.PeekAll(layout.HeaderUpstream))
	case inHeader:
		server = last(h.PeekAll(b.name))
	case inCookie:
		var c fasthttp.Cookie
		c.SetKey(b.name)
		if h.Cookie(&c) {
			server = c.Value()
		}
	case inJSON:
		server = b.find(body)
	}
	return b.signed(server)
}

// get is peek for an answer of net/http.
func (b By) get(h http.Header, body []byte) (group, server []byte) {
	switch b.where {
	case inHeaders:
		return []byte(last(h.Values(layout.HeaderUpstreamGroup))), []byte(last(h.Values(layout.HeaderUpstream)))
	case inHeader:
		server = []byte(last(h.Values(b.name)))
	case inCookie:
		for _, c := range (&http.Response{Header: h}).Cookies() {
			if c.Name == b.name {
				server = []byte(c.Value)
			}
		}
	case inJSON:
		server = b.find(body)
	}
	return b.signed(server)
}

// last is the header of several of one name that the balancer added itself: those that a server sent are before it.
func last[T string | []byte](values []T) (v T) {
	if n := len(values); n > 0 {
		v = values[n-1]
	}
	return v
}

// signed is the group of a server that was named. What would be a list in X-Upstream is one name here.
func (b By) signed(server []byte) (_, _ []byte) {
	if len(server) == 0 {
		return nil, nil
	}
	return []byte(b.String()), bytes.ReplaceAll(bytes.ReplaceAll(server, []byte(", "), []byte(",")), []byte(" : "), []byte(":"))
}

// find is the value under the path, a text or a number.
func (b By) find(body []byte) []byte {
	var at any
	if json.Unmarshal(body, &at) != nil {
		return nil
	}
	for _, key := range b.path {
		m, _ := at.(map[string]any)
		at = m[key]
	}
	switch v := at.(type) {
	case string:
		return []byte(v)
	case float64:
		return strconv.AppendFloat(nil, v, 'f', -1, 64)
	}
	return nil
}
