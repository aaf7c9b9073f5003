package socket

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
	"balanceo/topology/layout"
)

// hall is a server that passes each product on to everybody, with the faults that a test asks for.
type hall struct {
	mu      sync.Mutex
	guests  []*websocket.Conn
	fault   func(guest, number int) []int // which products the guest gets for the one with that number
	refuse  bool
	message map[int][]byte
}

func (h *hall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{}
	addr := []string{"a:1", "b:2"}
	h.mu.Lock()
	guest := len(h.guests)
	header := http.Header{layout.HeaderUpstream: {addr[guest%2]}, layout.HeaderUpstreamGroup: {"g"}}
	conn, err := upgrader.Upgrade(w, r, header)
	if err != nil {
		h.mu.Unlock()
		return
	}
	h.guests = append(h.guests, conn)
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"event":"PRODLIST","data":[]}`))
	h.mu.Unlock()
	defer conn.Close()
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		h.pass(conn, r, message)
	}
}

func (h *hall) pass(conn *websocket.Conn, r *http.Request, message []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var in struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	var data struct {
		Title string `json:"title"`
	}
	if json.Unmarshal(message, &in) != nil || json.Unmarshal(in.Data, &data) != nil || in.Event != "NEWPROD" {
		return
	}
	if h.refuse || r.Header.Get("Cookie") != "sid=1" {
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"event":"ERROR","data":{"message":"no"}}`))
		return
	}
	t, _ := parseTitle(data.Title)
	h.message[t.number] = []byte(`{"event":"PRODUCT","data":` + string(in.Data) + `}`)
	for i, guest := range h.guests {
		for _, number := range h.fault(i, t.number) {
			if m := h.message[number]; m != nil {
				_ = guest.WriteMessage(websocket.TextMessage, m)
			}
		}
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name                        string
		fault                       func(guest, number int) []int
		refuse                      bool
		delivered, lost, doubled, o int64
	}{
		{"sound", func(_, n int) []int { return []int{n} }, false, 400, 0, 0, 0},
		{"one is lost to one", func(g, n int) []int {
			if g == 3 && n == 50 {
				return nil
			}
			return []int{n}
		}, false, 399, 1, 0, 0},
		{"one is doubled for one", func(g, n int) []int {
			if g == 3 && n == 50 {
				return []int{n, n}
			}
			return []int{n}
		}, false, 400, 0, 1, 0},
		{"two of one sender change places for one", func(g, n int) []int {
			switch {
			case g == 3 && n == 50: // of sender 0, as is 52
				return nil
			case g == 3 && n == 52:
				return []int{52, 50}
			}
			return []int{n}
		}, false, 400, 0, 0, 1},
		{"all are refused", func(_, n int) []int { return []int{n} }, true, 0, 400, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &hall{fault: c.fault, refuse: c.refuse, message: map[int][]byte{}}
			srv := httptest.NewServer(h)
			defer srv.Close()
			var connected []tally.Hit
			out, err := Run(context.Background(), Config{
				URL: "ws" + strings.TrimPrefix(srv.URL, "http") + "/ws", Thumbnail: srv.URL + "/x.png", UserAgent: "loadgen/x", Cookie: "sid=1",
				Run: "20260101-000000-abcdef", Clients: 4, Senders: 2, Timeout: 500 * time.Millisecond,
				Schedule:  pace.NewSchedule(pace.Constant(500), 40*time.Millisecond, 200*time.Millisecond),
				Connected: func(h *tally.Hit) { connected = append(connected, *h) },
			})
			if err != nil {
				t.Fatal(err)
			}
			ws := out.WS
			if ws.Clients != 4 || ws.Sent != 100 || ws.Delivered != c.delivered || ws.Lost != c.lost || ws.Doubled != c.doubled || ws.OutOfOrder != c.o {
				t.Errorf("Run = %+v; want 4 clients, 100 sent, %d delivered, %d lost, %d doubled, %d out of order", ws, c.delivered, c.lost, c.doubled, c.o)
			}
			if len(ws.Upstreams) != 2 || ws.Upstreams[0].Addr != "a:1" || ws.Upstreams[0].Clients != 2 || (ws.Upstreams[0].Latency.P50 > 0) != (c.delivered > 0) {
				t.Errorf("upstreams %+v; want two clients at a:1 and b:2 each, with their latency", ws.Upstreams)
			}
			if len(connected) != 4 || connected[0].Status != http.StatusSwitchingProtocols || connected[0].Group != "g" {
				t.Errorf("connections %+v; want four with status 101 in group g", connected)
			}
			if c.refuse != (out.Refused > 0) || c.refuse && out.Reason != "no" || out.Broken != 0 || out.Partial {
				t.Errorf("Run = %+v; want refusals: %v", out, c.refuse)
			}
		})
	}
}

func TestRunEndedEarly(t *testing.T) {
	h := &hall{fault: func(_, n int) []int { return []int{n} }, message: map[int][]byte{}}
	srv := httptest.NewServer(h)
	defer srv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	out, err := Run(ctx, Config{
		URL: "ws" + strings.TrimPrefix(srv.URL, "http"), UserAgent: "loadgen/x", Cookie: "sid=1", Run: "r", Clients: 1, Senders: 1,
		Timeout: time.Second, Schedule: pace.NewSchedule(pace.Constant(100), 0, time.Hour),
		Connected: func(*tally.Hit) {},
		Delivered: func(h *tally.Hit) { once.Do(cancel) },
	})
	if err != nil || !out.Partial || out.WS.Sent == 0 || out.WS.Lost != 0 || out.Measured > time.Minute {
		t.Errorf("Run = %+v, %v; want a partial run with what was sent delivered", out, err)
	}
}

func TestRunFails(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	schedule := pace.NewSchedule(pace.Constant(100), 0, time.Second)
	for _, c := range []struct {
		url      string
		schedule pace.Schedule
		want     string
	}{
		{"ws" + strings.TrimPrefix(srv.URL, "http"), schedule, "404"},
		{"ws://127.0.0.1:1", schedule, "refused"},
		{"ws://127.0.0.1:1", pace.Unpaced(0, time.Second), "at a rate"},
	} {
		_, err := Run(context.Background(), Config{
			URL: c.url, Clients: 2, Senders: 1, Timeout: time.Second, Schedule: c.schedule, Connected: func(*tally.Hit) {},
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Run(%q): error %v, want one with %q", c.url, err, c.want)
		}
	}
}

func TestTitle(t *testing.T) {
	want := title{"20260101-000000-abcdef", 3, 4711}
	if got, ok := parseTitle(want.String()); !ok || got != want {
		t.Errorf("parseTitle(%q) = %+v, %v", want, got, ok)
	}
	for _, text := range []string{"", "loadgen", "loadgen r 1", "loadgen r 1 x", "loadgen r -1 2", "other r 1 2", "loadgen r 1 2 3"} {
		if got, ok := parseTitle(text); ok {
			t.Errorf("parseTitle(%q) = %+v, want none", text, got)
		}
	}
}

// TestLostByNumber: a server that delivers what nobody has sent makes up for nothing that it loses.
func TestLostByNumber(t *testing.T) {
	const all = 1<<10 - 1 // the first ten
	f := &fan{
		cfg:     Config{Schedule: pace.NewSchedule(pace.Constant(100), 0, time.Second)},
		clients: []*client{{seen: []uint64{all&^(1<<3) | 1<<20}}, {seen: []uint64{all}}},
	}
	var out Outcome
	if err := f.sum(&out, 10); err != nil {
		t.Fatal(err)
	}
	if ws := out.WS; ws.Sent != 10 || ws.Lost != 1 || ws.Delivered != 19 {
		t.Errorf("%+v; want 10 sent to two, 1 lost, 19 delivered", ws)
	}
}
