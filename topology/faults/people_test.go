//go:build e2e

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
)

const peopleMost = 10

// people are users who stay signed in, and of whom the first adds products.
type people struct {
	rig     *rig
	front   string // host:port
	cookies []*http.Cookie
	client  *http.Client

	stop    context.CancelFunc
	adding  sync.WaitGroup
	mu      sync.Mutex
	sent    int
	acked   map[store.ProductID]time.Time // when it came back to who sent it
	refused map[string]int
}

func (r *rig) invite() *people {
	r.Helper()
	p := &people{
		rig: r, front: fmt.Sprintf("127.0.0.1:%d", r.http), acked: map[store.ProductID]time.Time{}, refused: map[string]int{},
		client: &http.Client{
			Timeout:       30 * time.Second,
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for i := range peopleMost {
		fields := url.Values{"email": {fmt.Sprintf("p%d@example.com", i)}, "password": {"una clave larga"}, "name": {"P"}}
		resp, err := p.client.PostForm("http://"+p.front+"/signup", fields)
		if err != nil {
			r.Fatal(err)
		}
		resp.Body.Close()
		if len(resp.Cookies()) == 0 {
			r.Fatalf("signing up: status %d, no cookie", resp.StatusCode)
		}
		p.cookies = append(p.cookies, resp.Cookies()[0])
	}
	return p
}

// signedIn counts whose session still holds.
func (p *people) signedIn() int {
	p.rig.Helper()
	n := 0
	for _, c := range p.cookies {
		req, err := http.NewRequest(http.MethodGet, "http://"+p.front+"/checkAuth", nil)
		if err != nil {
			p.rig.Fatal(err)
		}
		req.AddCookie(c)
		resp, err := p.client.Do(req)
		if err != nil {
			p.rig.Errorf("/checkAuth: %v", err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if bytes.Contains(body, []byte("true")) {
			n++
		}
	}
	return n
}

// addProducts begins to add twenty products a second. Where the websocket breaks, it connects again, as the page does.
func (p *people) addProducts() {
	ctx, cancel := context.WithCancel(p.rig.Context())
	p.stop = cancel
	p.adding.Go(func() {
		for ctx.Err() == nil {
			p.add(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// add works with one websocket until that breaks.
func (p *people) add(ctx context.Context) {
	header := http.Header{"Cookie": {p.cookies[0].String()}}
	dialing, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, _, err := websocket.DefaultDialer.DialContext(dialing, "ws://"+p.front+"/ws", header)
	if err != nil {
		return
	}
	broken := make(chan struct{})
	p.adding.Go(func() {
		defer close(broken)
		p.listen(conn)
	})
	defer func() { <-broken }()
	defer conn.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-broken:
			return
		case <-tick.C:
		}
		id := bson.NewObjectID()
		text := fmt.Sprintf(`{"event":"NEWPROD","data":{"id":%q,"title":"T","price":1,"thumbnail":"http://a.example/"}}`, id.Hex())
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if conn.WriteMessage(websocket.TextMessage, []byte(text)) != nil {
			return
		}
		p.mu.Lock()
		p.sent++
		p.mu.Unlock()
	}
}

func (p *people) listen(conn *websocket.Conn) {
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var in struct {
			Event string
			Data  json.RawMessage
		}
		var data struct {
			ID   store.ProductID
			Code string
		}
		if json.Unmarshal(text, &in) != nil || in.Event == "PRODLIST" || json.Unmarshal(in.Data, &data) != nil {
			continue
		}
		p.mu.Lock()
		switch in.Event {
		case "PRODUCT":
			p.acked[data.ID] = time.Now()
		case "ERROR":
			p.refused[data.Code]++
		}
		p.mu.Unlock()
	}
}

// nextAcked is when the first product came back after a time, zero if none did, and what was refused till now.
func (p *people) nextAcked(after time.Time) (next time.Time, refused string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.acked {
		if at.After(after) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, tell(p.refused)
}

// stopAdding returns how many products were acknowledged and how many of these the database has.
func (p *people) stopAdding() (acked, found int) {
	p.rig.Helper()
	p.stop()
	p.adding.Wait()
	db, err := store.Open(p.rig.status().MongoURL)
	if err != nil {
		p.rig.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() { _ = db.Close(ctx) }()
	all, err := db.Newest(ctx, 1_000_000)
	if err != nil {
		p.rig.Fatal(err)
	}
	for _, product := range all {
		if _, ok := p.acked[product.ID]; ok {
			found++
		}
	}
	return len(p.acked), found
}
