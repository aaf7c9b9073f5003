package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"balanceo/server/serve"
	"balanceo/server/store/storetest"
)

// nasty are values that broke other applications.
var nasty = []string{
	"", " ", "\x00", "\r\n\r\nGET /evil HTTP/1.1", "%00", "%", "%zz", "..", "../../etc/passwd", "....//", "//", "\\",
	"'", `"`, "' OR '1'='1", "{\"$gt\":\"\"}", "$where", "[$ne]", "<script>alert(1)</script>", "{{.}}", "${7*7}",
	"\xff\xfe", "\xc3\x28", "\u202e", "\ufeff", "😀", "ﷺ", "١٢٣", "NaN", "Infinity", "-0", "0x", "1e999",
	"99999999999999999999999", "-1", "true", "null", "undefined", "javascript:alert(1)", "data:text/html,x",
	strings.Repeat("A", 3000), strings.Repeat("ñ", 300), strings.Repeat("%25", 500), strings.Repeat("[", 500), "a=b&c=d;e", "#", "?",
	"ana@example.com", "a@b", "@", "una clave", "\t\v\f", "a\nb: c", "0", "1000",
}

// hostile makes hostile input from one number, always the same.
type hostile struct{ *rand.Rand }

func (h hostile) value() string {
	switch h.IntN(4) {
	case 0:
		raw := make([]byte, h.IntN(40))
		for i := range raw {
			raw[i] = byte(h.IntN(256))
		}
		return string(raw)
	case 1:
		return nasty[h.IntN(len(nasty))] + nasty[h.IntN(len(nasty))]
	}
	return nasty[h.IntN(len(nasty))]
}

// header returns a value for a header. Most have no control character, with which the server would refuse the
// request before the application sees it.
func (h hostile) header() string {
	keep := h.IntN(10) == 0
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || !keep && (r < ' ' || r == 0x7f) {
			return '.'
		}
		return r
	}, h.value())
}

func (h hostile) form(fields ...string) string {
	var parts []string
	for _, f := range fields {
		switch h.IntN(8) {
		case 0: // left out
		case 1: // not escaped
			parts = append(parts, f+"="+h.value())
		case 2: // twice
			parts = append(parts, f+"="+url.QueryEscape(h.value()), f+"="+url.QueryEscape(h.value()))
		default:
			parts = append(parts, f+"="+url.QueryEscape(h.value()))
		}
	}
	return strings.Join(parts, "&")
}

// raw makes the bytes of one request for a route.
func (h hostile) raw(method, path string) []byte {
	var b bytes.Buffer
	query := ""
	if h.IntN(2) == 0 {
		query = "?" + strings.Map(printable, h.form("cant", "email", "v", "x"))
	}
	if method == "" {
		method = []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "BREW"}[h.IntN(9)]
	}
	if path == "" {
		path = "/" + strings.Map(printable, h.value())
	}
	fmt.Fprintf(&b, "%s %s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, query, []string{"127.0.0.1", "evil.example", "[::1]"}[h.IntN(3)])
	for _, name := range []string{"Cookie", "Accept", "Origin", "X-Forwarded-Proto", "Sec-Fetch-Site", "If-None-Match", "Content-Type", "Referer"} {
		if h.IntN(3) > 0 {
			continue
		}
		value := h.header()
		if name == "Cookie" {
			value = cookieName + "=" + value
		}
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if path == routeSocket && h.IntN(2) == 0 {
		fmt.Fprintf(&b, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", h.header())
	}
	if method == "POST" {
		body := h.form("email", "password", "name")
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	} else {
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

func printable(r rune) rune {
	if r <= ' ' || r == 0x7f || r == utf8.RuneError {
		return '_'
	}
	return r
}

// ask sends raw bytes to an application on a connection of its own and returns the status.
func ask(t testing.TB, addr string, raw []byte) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	var resp fasthttp.Response
	resp.SkipBody = true
	if err := resp.Header.Read(bufio.NewReader(conn)); err != nil {
		t.Fatalf("the answer to %.300q: %v", raw, err)
	}
	return resp.StatusCode()
}

// acceptable is any answer but an error of the server other than "not now".
func acceptable(status int) bool { return status < 500 || status == fasthttp.StatusServiceUnavailable }

var hostileRoutes = []struct{ method, path string }{
	{"GET", "/"},
	{"GET", "/login"},
	{"POST", "/login"},
	{"GET", "/faillogin"},
	{"GET", "/signup"},
	{"POST", "/signup"},
	{"GET", "/failsignup"},
	{"GET", "/logout"},
	{"GET", "/checkAuth"},
	{"GET", "/info"},
	{"GET", "/api/randoms"},
	{"GET", "/ws"},
	{"GET", "/healthz"},
	{"GET", "/static/app.css"},
	{"", ""},
}

// A thousand hostile requests a route give no error of the server. (start checks that nothing panicked.) Nearly
// all of them reach the application.
func TestHostileRequests(t *testing.T) {
	p := start(t, storetest.Run(t), Config{Draw: echoDraw})
	addr := strings.TrimPrefix(p.url, "http://")
	for _, route := range hostileRoutes {
		t.Run(strings.TrimSpace(route.method+" "+route.path), func(t *testing.T) {
			t.Parallel()
			const n = 1000
			refused := 0
			for i := range uint64(n) {
				raw := hostile{rand.New(rand.NewPCG(i, 1))}.raw(route.method, route.path)
				if got := ask(t, addr, raw); !acceptable(got) {
					t.Errorf("input %d: got %d to %.500q", i, got, raw)
				} else if got == fasthttp.StatusBadRequest && route.path != routeSocket && route.path != routeSignup && route.path != routeRandoms {
					refused++
				}
			}
			if refused > n/4 {
				t.Errorf("%d of %d requests never reached the application", refused, n)
			}
		})
	}
}

// A thousand hostile messages through one websocket: each is answered, none ends the connection.
func TestHostileMessages(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	s := mustDial(t, p, "Cookie", b.cookie(p))
	var list []json.RawMessage
	s.next("PRODLIST", &list)
	for i := range uint64(1000) {
		s.send(hostile{rand.New(rand.NewPCG(i, 2))}.message())
		select {
		case a := <-s.in:
			if m := a.decode(t); m.Event != eventError && m.Event != eventProduct {
				t.Errorf("message %d: got %s", i, m.Event)
			}
		case err := <-s.end:
			t.Fatalf("message %d ended the connection: %v", i, err)
		}
	}
}

func (h hostile) message() string {
	quoted := func() string {
		out, err := json.Marshal(h.value())
		if err != nil {
			panic(err)
		}
		return string(out)
	}
	value := func() string {
		return []string{quoted(), quoted(), "1", "-1", "1e400", "null", "[]", "{}", "true", h.value()}[h.IntN(10)]
	}
	switch h.IntN(6) {
	case 0:
		return strings.ToValidUTF8(h.value(), "?")
	case 1:
		return strings.ToValidUTF8(fmt.Sprintf(`{"event":%s,"data":%s}`, value(), value()), "?")
	case 2:
		return strings.ToValidUTF8(fmt.Sprintf(`{"event":"NEWPROD","data":%s}`, value()), "?")
	}
	return strings.ToValidUTF8(fmt.Sprintf(`{"event":"NEWPROD","data":{"id":%s,"title":%s,"price":%s,"thumbnail":%s}}`, value(), value(), value(), value()), "?")
}

func FuzzRequest(f *testing.F) {
	for i, route := range hostileRoutes {
		for j := range uint64(3) {
			f.Add(hostile{rand.New(rand.NewPCG(uint64(i), j))}.raw(route.method, route.path))
		}
	}
	a, err := New(f.Context(), Config{Draw: echoDraw})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ctx fasthttp.RequestCtx
		if ctx.Request.ReadLimitBody(bufio.NewReader(bytes.NewReader(raw)), serve.MaxBody) != nil {
			return // never reaches the application
		}
		a.Handler()(&ctx)
		if status := ctx.Response.StatusCode(); !acceptable(status) || a.guard.panics.Load() > 0 {
			t.Errorf("got %d to %q", status, raw)
		}
	})
}

// FuzzAccount: an account whose form is accepted is one that can sign in with the same form.
func FuzzAccount(f *testing.F) {
	for i := range uint64(20) {
		f.Add(hostile{rand.New(rand.NewPCG(i, 5))}.form("email", "password", "name"))
	}
	f.Add(signupForm("ANA@example.com", "una clave", "Ana").Encode())
	f.Fuzz(func(t *testing.T, body string) {
		var form fasthttp.Args
		form.Parse(body)
		given := accountIn(&form)
		if len(given.check()) > 0 {
			return
		}
		if again := normalEmail(given.Email); again != given.Email || !utf8.ValidString(given.Email) || strings.ContainsAny(given.Email, "\r\n\x00") {
			t.Errorf("accepted the e-mail %q, which is %q the next time", given.Email, again)
		}
		if n := utf8.RuneCountInString(given.Name); n < 1 || n > nameMost || len(given.Password) < 1 || len(given.Password) > passwordMost {
			t.Errorf("accepted %+v", given)
		}
	})
}

func FuzzProduct(f *testing.F) {
	for i := range uint64(20) {
		f.Add([]byte(hostile{rand.New(rand.NewPCG(i, 3))}.message()))
	}
	f.Add([]byte(newProduct("x", 1, picture)))
	f.Fuzz(func(t *testing.T, message []byte) {
		p, err := decodeProduct(message, time.Now())
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(p.Title); n < 1 || n > titleMost || p.Price < 0 || p.ID.IsZero() {
			t.Errorf("accepted %+v from %q", p, message)
		}
		if u, err := url.Parse(p.Thumbnail); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("accepted the thumbnail %q", p.Thumbnail)
		}
	})
}

func FuzzParseInt(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := parseInt(text)
		if !ok && n != 0 || ok && n != 0 && -n == n {
			t.Errorf("parseInt(%q) = %d, %t", text, n, ok)
		}
	})
}
