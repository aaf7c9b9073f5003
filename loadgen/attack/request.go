package attack

import (
	"bufio"
	"bytes"
	"fmt"

	"github.com/valyala/fasthttp"
)

// Header is one header of a request.
type Header struct{ Name, Value string }

// Request is one kind of request of the load. All hits of the kind send the same bytes.
type Request struct {
	Method string
	Path   string // with the query
	Header []Header
	Body   []byte
	Draws  int64 // becomes Hit.Draws of hits that succeed
}

// wire is a Request in the form in which it goes over a connection.
type wire struct {
	measured, warmup []byte // they differ in the User-Agent
	head             bool   // the answer has no body
	repeatable       bool   // may be sent again on another connection
	draws            int64
}

func (r Request) encode(t Target, agent string) (wire, error) {
	w := wire{draws: r.Draws}
	switch r.Method {
	case fasthttp.MethodHead:
		w.head, w.repeatable = true, true
	case fasthttp.MethodGet, fasthttp.MethodOptions, fasthttp.MethodPut, fasthttp.MethodDelete:
		w.repeatable = true // idempotent, RFC 9110 section 9.2.2
	}
	var err error
	if w.measured, err = r.bytes(t, agent); err != nil {
		return w, err
	}
	w.warmup, err = r.bytes(t, agent+WarmupSuffix)
	return w, err
}

// WarmupSuffix is what the User-Agent of warm-up requests ends with.
const WarmupSuffix = "-warmup"

func (r Request) bytes(t Target, agent string) ([]byte, error) {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	req.Header.SetMethod(r.Method)
	req.URI().DisablePathNormalizing = true
	req.SetRequestURI(t.Prefix + r.Path)
	req.SetHost(t.Host)
	req.UseHostHeader = true
	req.Header.SetUserAgent(agent)
	for _, h := range r.Header {
		req.Header.Set(h.Name, h.Value)
	}
	req.SetBody(r.Body)
	var b bytes.Buffer
	bw := bufio.NewWriter(&b)
	if err := req.Write(bw); err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", r.Method, r.Path, err)
	}
	if err := bw.Flush(); err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", r.Method, r.Path, err)
	}
	return b.Bytes(), nil
}
