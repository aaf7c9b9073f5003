package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"balanceo/server/serve"
	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main()
	os.Exit(m.Run())
}

// limit bounds one step of a test. It is long: steps wait for events, and other work may slow them.
const limit = time.Minute

// process is an application that stands for one process: it has its own connection to the database.
type process struct {
	*App
	url   string
	store *store.Store
}

// start runs an application over the database at dbURL (empty: none) until the test ends. Unless cfg says
// otherwise, passwords are hashed at the least cost.
func start(t testing.TB, dbURL string, cfg Config) *process {
	t.Helper()
	if dbURL != "" {
		cfg.Store = storetest.Open(t, dbURL)
	}
	if cfg.hasher == nil {
		cfg.hasher = cheapHasher(t)
	}
	a, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("New(%+v): %v", cfg, err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := serve.Limited(a.Handler())
	server.Logger = log.New(io.Discard, "", 0) // of requests that are none
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := server.ShutdownWithContext(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if n := a.guard.panics.Load(); n != 0 {
			t.Errorf("%d requests panicked", n)
		}
	})
	p := &process{a, "http://" + ln.Addr().String(), cfg.Store}
	// Shutdown before Serve has begun would leave it serving.
	if got := newBrowser(t).get(p.url + "/healthz"); got.status != 200 {
		t.Fatalf("GET /healthz: got %d", got.status)
	}
	return p
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	t testing.TB
	*http.Client
}

func newBrowser(t testing.TB) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 20}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, &http.Client{
		Jar: jar, Timeout: limit, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that was read to its end.
type answer struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (b *browser) do(req *http.Request) answer {
	b.t.Helper()
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(body)}
}

func (b *browser) get(url string) answer {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) post(url string, form url.Values, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.do(req)
}

func signupForm(email, password, name string) url.Values {
	return url.Values{"email": {email}, "password": {password}, "name": {name}}
}

// signup makes an account, after which the browser is signed in.
func (b *browser) signup(p *process, email, name string) {
	b.t.Helper()
	<-p.store.Prepared() // on a busy machine that may take longer than a request waits
	got := b.post(p.url+"/signup", signupForm(email, "una clave", name))
	if got.status != 302 || got.location != "/" {
		b.t.Fatalf("POST /signup: got %d to %q, want 302 to /; %s", got.status, got.location, got.body)
	}
}

// cookie is the session's cookie, as a header.
func (b *browser) cookie(p *process) string {
	b.t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == cookieName {
			return c.String()
		}
	}
	return ""
}

// socket is an open websocket whose messages arrive on a channel.
type socket struct {
	t    testing.TB
	conn *websocket.Conn
	in   chan arrived
	end  chan error // gets the error that ended the reading
}

// arrived is a message as it came.
type arrived struct {
	text []byte
	at   time.Time
}

type message struct {
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
	at    time.Time
}

func (a arrived) decode(t testing.TB) message {
	t.Helper()
	m := message{at: a.at}
	if err := json.Unmarshal(a.text, &m); err != nil {
		t.Fatalf("%s: %v", a.text, err)
	}
	return m
}

// dial opens a websocket with headers given as name, value, …
func dial(t testing.TB, p *process, headers ...string) (*socket, *http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			h.Set(headers[i], headers[i+1])
		}
	}
	conn, resp, err := (&websocket.Dialer{HandshakeTimeout: limit}).Dial("ws"+strings.TrimPrefix(p.url, "http")+"/ws", h)
	if err != nil {
		return nil, resp, err
	}
	s := &socket{t, conn, make(chan arrived, 1000), make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				s.end <- err
				return
			}
			s.in <- arrived{text, time.Now()} // decoded by whoever wants it: it delays no other
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return s, resp, nil
}

func mustDial(t testing.TB, p *process, headers ...string) *socket {
	t.Helper()
	s, _, err := dial(t, p, headers...)
	if err != nil {
		t.Fatalf("websocket: %v", err)
	}
	return s
}

// watch opens a websocket of somebody new.
func watch(t testing.TB, p *process) *socket {
	t.Helper()
	b := newBrowser(t)
	b.signup(p, fmt.Sprintf("%d@example.com", time.Now().UnixNano()), "Somebody")
	return mustDial(t, p, "Cookie", b.cookie(p))
}

func (s *socket) send(text string) {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.t.Fatalf("writing %q: %v", text, err)
	}
}

// next waits for a message with the event and decodes its data.
func (s *socket) next(event string, into any) message {
	s.t.Helper()
	take := func(a arrived) message {
		m := a.decode(s.t)
		if m.Event != event {
			s.t.Fatalf("got %s %s, want %s", m.Event, m.Data, event)
		}
		if err := json.Unmarshal(m.Data, into); err != nil {
			s.t.Fatalf("%s %s: %v", event, m.Data, err)
		}
		return m
	}
	timeout := time.After(limit)
	select {
	case a := <-s.in:
		return take(a)
	case err := <-s.end:
		s.end <- err
		select {
		case a := <-s.in: // it came before the end
			return take(a)
		default:
			s.t.Fatalf("waiting for %s: %v", event, err)
		}
	case <-timeout:
		s.t.Fatalf("waiting for %s: nothing came", event)
	}
	panic("unreachable")
}

// closed waits until the server closes the websocket, and returns the code.
func (s *socket) closed() int {
	s.t.Helper()
	select {
	case err := <-s.end:
		var c *websocket.CloseError
		if !errors.As(err, &c) {
			s.t.Fatalf("websocket ended with %v, want a close frame", err)
		}
		return c.Code
	case <-time.After(limit):
		s.t.Fatal("the websocket stays open")
	}
	panic("unreachable")
}

func newProduct(title string, price float64, thumbnail string) string {
	return sameProduct("", title, price, thumbnail)
}

// sameProduct is one with an id; empty: the server chooses one.
func sameProduct(id, title string, price float64, thumbnail string) string {
	out, err := json.Marshal(map[string]any{"event": "NEWPROD", "data": map[string]any{"id": id, "title": title, "price": price, "thumbnail": thumbnail}})
	if err != nil {
		panic(err)
	}
	return string(out)
}
