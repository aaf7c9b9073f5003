package attack

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"github.com/valyala/fasthttp"

	"balanceo/loadgen/tally"
)

// Request is one kind of request of a load: vegeta's Target, whose URL may be a path of the attack's target.
type Request struct {
	vegeta.Target
	Weight int
	Draws  int64 // random numbers that the server draws for it; becomes Hit.Draws where it succeeds
}

// Get is a request for a path, with its query.
func Get(path string) Request {
	return Request{Target: vegeta.Target{Method: fasthttp.MethodGet, URL: path}, Weight: 1}
}

// Whole is the request's URL where it is one and no path of the target, as "//x" is.
func (r Request) Whole() (u *url.URL, whole bool) {
	u, err := url.Parse(r.URL)
	return u, err == nil && u.Scheme != "" && u.Host != ""
}

// URI is the path with the query.
func (r Request) URI() string {
	if u, whole := r.Whole(); whole {
		return u.RequestURI()
	}
	return r.URL
}

// Label is the request's name in the record: the query does not tell routes apart.
func (r Request) Label() tally.Route {
	path, _, _ := strings.Cut(r.URI(), "?")
	return tally.Route{Method: r.Method, Path: cmp.Or(path, "/")}
}

// At is the request with its whole URL.
func (r Request) At(t Target) vegeta.Target {
	out := r.Target
	if _, whole := r.Whole(); !whole {
		out.URL = t.URL() + out.URL
	}
	return out
}

// HeaderRequestID names a hit to the servers and their logs, as RUN-NUMBER.
const HeaderRequestID = "X-Request-Id"

// wire is a Request in the form in which it goes over a connection: the text before and after a hit's number.
type wire struct {
	measured, warmup [2][]byte // they differ in the User-Agent; without a request id the second half is empty
	head             bool      // the answer has no body
	repeatable       bool      // may be sent again on another connection
	draws, body      int64
}

// write appends the request with that number to b.
func (w *wire) write(b []byte, n uint64, warmup bool) []byte {
	text := &w.measured
	if warmup {
		text = &w.warmup
	}
	b = append(b, text[0]...)
	if len(text[1]) > 0 {
		b = strconv.AppendUint(b, n, 10)
		b = append(b, text[1]...)
	}
	return b
}

func (c *Config) encode(r Request) (wire, error) {
	w := wire{draws: r.Draws, body: int64(len(r.Body)), head: r.Method == fasthttp.MethodHead, repeatable: repeatable(r.Method)}
	var err error
	if w.measured, err = c.text(r, c.UserAgent); err != nil {
		return w, err
	}
	w.warmup, err = c.text(r, c.UserAgent+tally.WarmupSuffix)
	return w, err
}

// repeatable tells methods that are idempotent (RFC 9110, section 9.2.2).
func repeatable(method string) bool {
	switch method {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodOptions, fasthttp.MethodPut, fasthttp.MethodDelete:
		return true
	}
	return false
}

// numberMark stands for the number while a request is encoded.
const numberMark = "{balanceo-number}"

func (c *Config) text(r Request, agent string) (out [2][]byte, err error) {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	req.Header.DisableNormalizing()
	req.Header.SetMethod(r.Method)
	req.URI().DisablePathNormalizing = true
	uri := r.URI()
	if uri == r.URL { // a path of the target
		uri = c.Target.Prefix + uri
	}
	req.SetRequestURI(uri)
	req.SetHost(c.Target.Host)
	req.UseHostHeader = true
	req.Header.SetUserAgent(agent)
	if c.RequestID != "" {
		req.Header.Set(HeaderRequestID, c.RequestID+"-"+numberMark)
	}
	for name, values := range r.Header {
		switch {
		case strings.EqualFold(name, "Host"):
			req.SetHost(values[0])
		default:
			req.Header.Del(name)
			for _, v := range values {
				req.Header.Add(name, v)
			}
		}
	}
	if c.NoKeepAlive {
		req.SetConnectionClose()
	}
	req.SetBody(r.Body)
	var b bytes.Buffer
	bw := bufio.NewWriter(&b)
	if err := req.Write(bw); err != nil {
		return out, fmt.Errorf("encode %s %q: %w", r.Method, r.URL, err)
	}
	if err := bw.Flush(); err != nil {
		return out, fmt.Errorf("encode %s %q: %w", r.Method, r.URL, err)
	}
	out[0], out[1], _ = bytes.Cut(b.Bytes(), []byte(numberMark))
	return out, nil
}
