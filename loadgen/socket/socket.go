// Package socket measures how messages fan out: clients connect by websocket, some of them send products at a
// given pace, and each product has to reach every client once and in order, whichever server the sender and
// the receiver are connected to.
//
// A product carries who sent it and its number in its title, so each client can tell what it got, how late,
// and what is missing. Sender and receivers are in one process, so one clock serves for both.
package socket

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/layout"
)

// Config is one run.
type Config struct {
	URL       string             // ws:// or wss://, with the path
	Thumbnail string             // URL that the products carry
	UserAgent string             // of every client
	Cookie    string             // of somebody who is signed in
	Run       string             // id that tells this run's products from others; without spaces
	Clients   int                // all of them receive
	Senders   int                // how many of them send as well
	Schedule  pace.Schedule      // of the products
	TLS       *tls.Config        // nil: the system's authorities
	Timeout   time.Duration      // of connecting, and of the last deliveries without any progress
	Connected func(h *tally.Hit) // told of each connection, one after the other
	Delivered func(h *tally.Hit) // told of each product that its sender got back, from several goroutines; may be nil
}

// Outcome is what was measured.
type Outcome struct {
	WS       run.WS
	Began    time.Time     // time 0 of the schedule
	Measured time.Duration // length of the part after the warm-up
	Due      uint64        // products of the measured part that were due
	Partial  bool          // it was ended early
	Refused  int64         // products that a server refused
	Broken   int           // clients whose connection broke before the end
	Reason   string        // of one of the two
	Latency  run.Latency   // of all deliveries
	Lag      run.Lag       // of the sends behind their schedule
}

// fan is a run.
type fan struct {
	cfg     Config
	clients []*client
	zero    time.Time
	hits    int          // products that are due
	got     atomic.Int64 // deliveries, the first of each
	closing atomic.Bool
	lag     tally.Histogram
}

// Run connects, sends and counts. When ctx is done, sending ends early.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	if !cfg.Schedule.Paced() {
		return Outcome{}, errors.New("websocket scenario: products are sent at a rate, not as fast as it goes")
	}
	f := &fan{cfg: cfg, hits: int(cfg.Schedule.Hits())}
	if err := f.connect(ctx); err != nil {
		for _, c := range f.clients {
			_ = c.conn.Close()
		}
		return Outcome{}, err
	}
	f.zero = time.Now()
	var readers sync.WaitGroup
	for _, c := range f.clients {
		readers.Go(func() { c.read(f) })
	}
	out := Outcome{Began: f.zero}
	n, sendErr := f.send(ctx)
	out.Partial = n < f.hits
	out.Measured = cfg.Schedule.Duration
	if out.Partial {
		out.Measured = min(max(time.Since(f.zero)-cfg.Schedule.Warmup, 0), cfg.Schedule.Duration)
	}
	out.Due = cfg.Schedule.DueBy(cfg.Schedule.Warmup + out.Measured)
	f.await(n)
	f.close()
	readers.Wait()
	if sendErr != nil && out.Reason == "" {
		out.Reason = sendErr.Error()
	}
	return out, f.sum(&out, n)
}

// connectAtOnce bounds the connections that are being opened.
const connectAtOnce = 8

// connect opens all connections; it fails only if none, or none that may send, could be opened.
func (f *fan) connect(ctx context.Context) error {
	dialer := &websocket.Dialer{
		HandshakeTimeout: f.cfg.Timeout, ReadBufferSize: 4 << 10, WriteBufferSize: 1 << 10,
		TLSClientConfig: f.cfg.TLS.Clone(),
	}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		last error
	)
	slots := make(chan struct{}, connectAtOnce)
	opened := make([]*client, f.cfg.Clients)
	for i := range opened {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			c, hit, err := f.dial(ctx, dialer, uint64(i))
			mu.Lock()
			defer mu.Unlock()
			opened[i] = c
			if err != nil {
				last = err
			}
			f.cfg.Connected(hit)
		})
	}
	wg.Wait()
	sendersMissing := false
	for i, c := range opened {
		if c != nil {
			f.clients = append(f.clients, c)
		} else if i < f.cfg.Senders {
			sendersMissing = true
		}
	}
	if sendersMissing {
		return fmt.Errorf("connect websocket to %q: %w", f.cfg.URL, last)
	}
	return nil
}

// dial opens one connection. The hit tells of it as of any other request; it counts for the measured part.
func (f *fan) dial(ctx context.Context, dialer *websocket.Dialer, number uint64) (*client, *tally.Hit, error) {
	header := http.Header{
		"User-Agent": {f.cfg.UserAgent}, "Cookie": {f.cfg.Cookie},
		attack.HeaderRequestID: {f.cfg.Run + "-" + strconv.FormatUint(number, 10)}, // as of any other hit
	}
	began := time.Now()
	conn, resp, err := dialer.DialContext(ctx, f.cfg.URL, header)
	at := f.cfg.Schedule.Warmup
	hit := &tally.Hit{Number: number, Due: at, Sent: at, Done: at + time.Since(began)}
	if resp != nil {
		defer resp.Body.Close() // only of an answer that refuses is there any
		hit.Status = resp.StatusCode
		hit.Group, hit.Tried = resp.Header.Get(layout.HeaderUpstreamGroup), resp.Header.Get(layout.HeaderUpstream)
		hit.Worker, hit.Name = resp.Header.Get(layout.HeaderWorker), resp.Header.Get(layout.HeaderInstance)
	}
	if err != nil {
		hit.Err = tally.WebSocket
		if resp != nil {
			err = fmt.Errorf("%w: %s", err, resp.Status)
		}
		return nil, hit, err
	}
	_, addr := tally.Tried(hit.Tried)
	return &client{conn: conn, upstream: addr, last: make([]int, f.cfg.Senders)}, hit, nil
}

// send sends the products when they are due and returns how many it sent.
func (f *fan) send(ctx context.Context) (n int, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n = range f.hits {
		timer.Reset(f.cfg.Schedule.Due(uint64(n)) - time.Since(f.zero))
		select {
		case <-ctx.Done():
			return n, nil
		case <-timer.C:
		}
		sender := n % f.cfg.Senders
		message, err := product(title{f.cfg.Run, sender, n}, f.cfg.Thumbnail)
		if err != nil {
			return n, err
		}
		due := f.cfg.Schedule.Due(uint64(n))
		f.lag.Add(time.Since(f.zero) - due)
		if err := f.clients[sender].conn.WriteMessage(websocket.TextMessage, message); err != nil {
			return n, fmt.Errorf("send product: %w", err)
		}
	}
	return f.hits, nil
}

// longestLull is how long no delivery at all may come before the rest is taken for lost. A server may have a
// slower second way for what the first one missed.
const longestLull = 15 * time.Second

// await waits until every client has all n products, or none has got any for a while.
func (f *fan) await(n int) {
	want := int64(n) * int64(len(f.clients))
	before, changed := int64(-1), time.Now()
	for time.Since(changed) < min(f.cfg.Timeout, longestLull) {
		got := f.got.Load()
		if got >= want {
			return
		}
		if got != before {
			before, changed = got, time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// close ends all connections; the readers then end by themselves.
func (f *fan) close() {
	f.closing.Store(true)
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	for _, c := range f.clients {
		_ = c.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(time.Second))
	}
	for _, c := range f.clients {
		_ = c.conn.SetReadDeadline(time.Now().Add(2 * time.Second)) // the other side may answer the close
	}
}

// product is the message that adds a product.
func product(t title, thumbnail string) ([]byte, error) {
	type data struct {
		Title     string  `json:"title"`
		Price     float64 `json:"price"`
		Thumbnail string  `json:"thumbnail"`
	}
	out, err := json.Marshal(struct {
		Event string `json:"event"`
		Data  data   `json:"data"`
	}{"NEWPROD", data{t.String(), float64(t.number), thumbnail}})
	if err != nil {
		return nil, fmt.Errorf("encode product: %w", err)
	}
	return out, nil
}
