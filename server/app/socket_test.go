package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fasthttp/websocket"
	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

const picture = "https://example.com/a.png"

func TestProductReachesEveryProcess(t *testing.T) {
	db := storetest.Run(t)
	one, other := start(t, db, Config{}), start(t, db, Config{})
	b := newBrowser(t)
	b.signup(one, "ana@example.com", "Ana")
	var list []store.Product
	writer := mustDial(t, one, "Cookie", b.cookie(one), "Origin", one.url)
	writer.next("PRODLIST", &list)
	reader := mustDial(t, other, "Cookie", b.cookie(one))
	reader.next("PRODLIST", &list)
	if list == nil || len(list) != 0 {
		t.Errorf("PRODLIST of an empty shop: %v, want an empty list", list)
	}
	for i := range 20 {
		title := fmt.Sprintf("<script>alert(%d)</script>", i)
		writer.send(newProduct(title, float64(i)/4, picture))
		for _, s := range []*socket{writer, reader} {
			var p store.Product
			s.next("PRODUCT", &p)
			if p.Title != title || p.Price != float64(i)/4 || p.Thumbnail != picture || time.Since(p.TimeStamp) > time.Minute {
				t.Errorf("PRODUCT: got %+v, want title %q", p, title)
			}
		}
	}
	late := mustDial(t, other, "Cookie", b.cookie(one))
	late.next("PRODLIST", &list)
	if len(list) != 20 || list[0].Title != "<script>alert(19)</script>" {
		t.Errorf("PRODLIST afterwards: %d products, first %+v; want 20, the newest first", len(list), list[0])
	}
}

func TestListIsBounded(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	var list []store.Product
	early := watch(t, p)
	early.next("PRODLIST", &list)
	for i := range listMost + 5 {
		now := time.Now().Add(time.Duration(i) * time.Millisecond).UTC()
		given, err := decodeProduct([]byte(newProduct(strconv.Itoa(i), 1, picture)), now)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.store.AddProduct(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		var heard store.Product
		early.next("PRODUCT", &heard)
	}
	watch(t, p).next("PRODLIST", &list)
	if len(list) != listMost || list[0].Title != strconv.Itoa(listMost+4) {
		t.Errorf("PRODLIST: %d products, first %q; want %d, first %d", len(list), list[0].Title, listMost, listMost+4)
	}
}

func TestRefusedProducts(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	s := mustDial(t, p, "Cookie", b.cookie(p))
	var list []store.Product
	s.next("PRODLIST", &list)
	data := func(d string) string { return `{"event":"NEWPROD","data":` + d + `}` }
	for _, c := range []struct{ what, message, code, field string }{
		{"nonsense", "nonsense", codeMessage, ""},
		{"nothing", "", codeMessage, ""},
		{"unknown event", `{"event":"DELETE"}`, codeMessage, ""},
		{"two values", newProduct("x", 1, picture) + "{}", codeMessage, ""},
		{"no data", `{"event":"NEWPROD"}`, codeInvalid, ""},
		{"no title", newProduct("  ", 1, picture), codeInvalid, "title"},
		{"long title", newProduct(strings.Repeat("ñ", 201), 1, picture), codeInvalid, "title"},
		{"title with a control character", newProduct("a\x00b", 1, picture), codeInvalid, "title"},
		{"title that is a number", data(`{"title":5,"price":1,"thumbnail":"` + picture + `"}`), codeInvalid, "title"},
		{"negative price", newProduct("x", -0.01, picture), codeInvalid, "price"},
		{"no price", data(`{"title":"x","thumbnail":"` + picture + `"}`), codeInvalid, "price"},
		{"infinite price", data(`{"title":"x","price":1e999,"thumbnail":"` + picture + `"}`), codeInvalid, "price"},
		{"price beyond all bounds", newProduct("x", 1e308, picture), codeInvalid, "price"},
		{"price that is text", data(`{"title":"x","price":"1","thumbnail":"` + picture + `"}`), codeInvalid, "price"},
		{"no thumbnail", newProduct("x", 1, ""), codeInvalid, "thumbnail"},
		{"script as thumbnail", newProduct("x", 1, "javascript:alert(1)"), codeInvalid, "thumbnail"},
		{"script as thumbnail, disguised", newProduct("x", 1, "java\nscript:alert(1)//http://x"), codeInvalid, "thumbnail"},
		{"data as thumbnail", newProduct("x", 1, "data:image/png;base64,AAAA"), codeInvalid, "thumbnail"},
		{"thumbnail without host", newProduct("x", 1, "http:///a.png"), codeInvalid, "thumbnail"},
		{"bad id", data(`{"id":"zz","title":"x","price":1,"thumbnail":"` + picture + `"}`), codeInvalid, "id"},
	} {
		s.send(c.message)
		var got refusal
		s.next("ERROR", &got)
		if got.Code != c.code || got.Field != c.field || got.Message == "" {
			t.Errorf("%s: got %+v, want code %q, field %q", c.what, got, c.code, c.field)
		}
	}
	for _, good := range []string{newProduct(strings.Repeat("ñ", 200), 0, "HTTP://x"), newProduct("x", priceMost, picture)} {
		s.send(good)
		var got store.Product
		s.next("PRODUCT", &got)
	}
	s.send(newProduct("x", 1, picture+strings.Repeat("x", messageMost)))
	if got := s.closed(); got != websocket.CloseMessageTooBig {
		t.Errorf("a message that is too long: closed with %d, want %d", got, websocket.CloseMessageTooBig)
	}
}

func TestSameProductSentTwiceIsSavedOnce(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	s := mustDial(t, p, "Cookie", b.cookie(p))
	var list []store.Product
	s.next("PRODLIST", &list)
	same := sameProduct("0123456789abcdef01234567", "x", 1, picture)
	s.send(same)
	s.send(same)
	s.send(newProduct("y", 1, picture))
	var got store.Product
	s.next("PRODUCT", &got)
	if got.ID.Hex() != "0123456789abcdef01234567" {
		t.Errorf("the product has the id %v", got.ID)
	}
	if s.next("PRODUCT", &got); got.Title != "y" {
		t.Errorf("the product that was sent twice came twice")
	}
}

func TestWriteNeedsLivingSession(t *testing.T) {
	db := storetest.Run(t)
	one, other := start(t, db, Config{}), start(t, db, Config{})
	var list []store.Product
	var got refusal

	for what, cookie := range map[string]string{"no cookie": "", "a cookie of nobody": cookieName + "=abc"} {
		if _, resp, err := dial(t, one, "Cookie", cookie); resp == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: a websocket gets %v, %v; want 401 and no list", what, resp, err)
		}
	}

	b := newBrowser(t)
	b.signup(one, "ana@example.com", "Ana")
	s := mustDial(t, one, "Cookie", b.cookie(one))
	s.next("PRODLIST", &list)
	if got := b.get(other.url + "/logout"); got.status != 200 {
		t.Fatalf("GET /logout: got %d", got.status)
	}
	// The page is told, although nothing was sent through it and another process ended the session.
	if s.next("ERROR", &got); got.Code != codeSession {
		t.Errorf("after signing out elsewhere: got %+v, want code %q", got, codeSession)
	}
	if code := s.closed(); code != closeSession {
		t.Errorf("after signing out elsewhere: closed with %d, want %d", code, closeSession)
	}
	if products, err := one.store.Newest(t.Context(), 10); err != nil || len(products) != 0 {
		t.Errorf("products were saved: %v, %v", products, err)
	}
}

func TestPageIsToldThatSessionExpired(t *testing.T) {
	t.Parallel()
	p := start(t, storetest.Run(t), Config{SessionLife: 3 * time.Second})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	s := mustDial(t, p, "Cookie", b.cookie(p))
	var list []store.Product
	s.next("PRODLIST", &list)
	var got refusal
	if s.next("ERROR", &got); got.Code != codeSession {
		t.Errorf("got %+v, want code %q", got, codeSession)
	}
	if code := s.closed(); code != closeSession {
		t.Errorf("closed with %d, want %d", code, closeSession)
	}
}

func TestForeignOriginIsRefused(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	for _, c := range []struct {
		origin string
		want   int
	}{
		{p.url, 101},
		{"", 101},
		{"http://evil.example", 403},
		{"null", 403},
		{"http://127.0.0.1:1", 403},
		{p.url + ".evil.example", 403},
	} {
		_, resp, err := dial(t, p, "Origin", c.origin, "Cookie", b.cookie(p))
		if resp == nil || resp.StatusCode != c.want {
			t.Errorf("websocket from %q: got %v, %v; want %d", c.origin, resp, err, c.want)
		}
	}
	if got := newBrowser(t).get(p.url + "/ws"); got.status != http.StatusBadRequest {
		t.Errorf("GET /ws that is no websocket: got %d, want 400", got.status)
	}
}

func TestCloseSaysServiceRestart(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	s := mustDial(t, p, "Cookie", b.cookie(p))
	var list []store.Product
	s.next("PRODLIST", &list)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if got := s.closed(); got != websocket.CloseServiceRestart {
		t.Errorf("closed with %d, want %d", got, websocket.CloseServiceRestart)
	}
	if got := newBrowser(t).get(p.url + "/healthz"); got.status != 503 {
		t.Errorf("GET /healthz while closing: got %d, want 503", got.status)
	}
	if code := mustDial(t, p, "Cookie", b.cookie(p)).closed(); code != websocket.CloseServiceRestart {
		t.Errorf("a websocket that comes after: closed with %d, want %d", code, websocket.CloseServiceRestart)
	}
}

// What a client sends before it knows that its handshake was accepted is read after it.
func TestEarlyFrame(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n\x89\x80\x00\x00\x00\x00", b.cookie(p)) // a ping
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for piece := make([]byte, 1024); !bytes.Contains(got, []byte("\x8a\x00")); {
		n, err := conn.Read(piece)
		if got = append(got, piece[:n]...); err != nil {
			t.Fatalf("no pong: %q, %v", got, err)
		}
	}
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 101 ")) || !bytes.Contains(got, []byte("X-Content-Type-Options: nosniff\r\n")) {
		t.Errorf("handshake: got %q", got)
	}
}

// A list in a header may have empty elements (RFC 9110, 5.6.1.2), and whatever a handshake looks like, it is answered.
func TestHandshakeWithOddLists(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	for _, connection := range []string{"Upgrade", ",,Upgrade,", "(, Upgrade"} {
		raw := fmt.Sprintf("GET /ws HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nConnection: %s\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", b.cookie(p), connection)
		if got := ask(t, strings.TrimPrefix(p.url, "http://"), []byte(raw)); got != http.StatusSwitchingProtocols {
			t.Errorf("Connection: %s: got %d, want 101", connection, got)
		}
	}
}

// One that does not read is dropped; nobody waits for it.
func TestSlowReaderIsDropped(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	// Nobody reads from this one.
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/ws", http.Header{"Cookie": {b.cookie(p)}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := conn.ReadMessage(); err != nil { // but for the list, with which it is a client
		t.Fatal(err)
	}
	reader := mustDial(t, p, "Cookie", b.cookie(p))
	var list []store.Product
	reader.next("PRODLIST", &list)
	if got := p.hub.size(); got != 2 {
		t.Fatalf("the hub has %d clients, want 2", got)
	}
	big := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	deadline := time.Now().Add(limit)
	sent := 0
	for ; p.hub.size() > 1 && time.Now().Before(deadline); sent++ {
		p.hub.mu.Lock()
		p.hub.broadcast(prepare(encode("BIG", big)))
		p.hub.mu.Unlock()
		var text string
		reader.next("BIG", &text)
	}
	if got := p.hub.size(); got != 1 {
		t.Errorf("after %d MB the hub still has %d clients, want 1", sent, got)
	}
}

// Without clients nothing is asked of the database; the list is right for who comes after.
func TestHubRests(t *testing.T) {
	db := storetest.Run(t)
	p := start(t, db, Config{})
	var list []store.Product
	s := watch(t, p)
	s.next("PRODLIST", &list)
	_ = s.conn.Close()
	for deadline := time.Now().Add(limit); p.hub.size() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	p.hub.rest()
	p.hub.mu.Lock()
	resting := p.hub.current == nil
	p.hub.mu.Unlock()
	if !resting {
		t.Error("without clients the hub still follows")
	}
	given, err := decodeProduct([]byte(newProduct("meanwhile", 1, picture)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.store.AddProduct(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	watch(t, p).next("PRODLIST", &list)
	if len(list) != 1 || list[0].Title != "meanwhile" {
		t.Errorf("PRODLIST after a rest: %+v", list)
	}
}

// What another client of the database wrote and JSON can't carry is left out, and ends nothing.
func TestProductThatJSONCannotCarry(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	s := watch(t, p)
	var list []store.Product
	s.next("PRODLIST", &list)
	p.hub.mu.Lock()
	follower := p.hub.follower(p.hub.current)
	p.hub.mu.Unlock()
	add := func(title string, price float64, year int) {
		t.Helper()
		product := store.Product{
			ID: bson.NewObjectID(), Title: title, Price: price, Thumbnail: picture,
			TimeStamp: time.Now().UTC().AddDate(year, 0, 0).Truncate(time.Millisecond),
		}
		if math.IsNaN(price) || math.IsInf(price, 0) { // the embedded database keeps no such number, MongoDB does
			follower.Product(product)
		} else if err := p.store.AddProduct(t.Context(), product); err != nil {
			t.Fatal(err)
		}
	}
	add("before", 1, 0)
	add("NaN", math.NaN(), 0)
	add("infinite", math.Inf(1), 0)
	add("far away", 1, 9000)
	add("after", 2, 0)
	for _, want := range []string{"before", "after"} {
		var got store.Product
		if s.next("PRODUCT", &got); got.Title != want {
			t.Errorf("PRODUCT is %q, want %q", got.Title, want)
		}
	}
	if watch(t, p).next("PRODLIST", &list); len(list) != 2 {
		t.Errorf("PRODLIST has %d products, want the 2 that can be shown: %+v", len(list), list)
	}
}

// A panic in a goroutine of the hub or of a websocket ends neither the process nor the service.
func TestPanicsOutsideRequests(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	s := watch(t, p)
	var list []store.Product
	s.next("PRODLIST", &list)
	p.hub.mu.Lock()
	for c := range p.hub.clients {
		c.out <- nil // no message at all: its writer panics
	}
	p.hub.mu.Unlock()
	<-s.end
	for deadline := time.Now().Add(limit); p.hub.size() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the websocket whose writer panicked is still there")
		}
	}
	f := p.hub.follower(nil) // of a following that is not: it panics where it looks at it
	p.hub.mu.Lock()
	p.hub.current.stop()
	p.hub.current = nil
	p.hub.mu.Unlock()
	if p.guard.run("test", func() { f.Start(nil) }) {
		t.Error("the follower does not panic: the test is worth nothing")
	}
	watch(t, p).next("PRODLIST", &list)
	if n := p.guard.panics.Swap(0); n != 2 {
		t.Errorf("%d panics were caught, want 2", n)
	}
}

// A burst is taken, and what comes beyond it waits.
func TestBurstsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &client{closing: make(chan struct{})}
		began := time.Now()
		for range burstMost {
			c.paced()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a burst takes %v, want no time", took)
		}
		for range 10 * perSecond {
			c.paced()
		}
		if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("%d messages beyond the burst take %v, want 10 s", 10*perSecond, took)
		}
		close(c.closing)
		if c.paced() {
			t.Error("a client that goes may still send")
		}
	})
}

// What a library answers by itself counts, too: nobody keeps a process busy with pings.
func TestControlFramesAreLimited(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	for what, kind := range map[string]int{"pings": websocket.PingMessage, "pongs": websocket.PongMessage} {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/ws", http.Header{"Cookie": {b.cookie(p)}})
		if err != nil {
			t.Fatal(err)
		}
		last, done := make(chan struct{}), make(chan struct{})
		conn.SetPongHandler(func(data string) error {
			if data == "last" {
				close(last)
			}
			return nil
		})
		go func() {
			defer close(done)
			for err := error(nil); err == nil; {
				_, _, err = conn.ReadMessage()
			}
		}()
		began := time.Now()
		for range burstMost + perSecond {
			if err := conn.WriteControl(kind, nil, began.Add(limit)); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.WriteControl(websocket.PingMessage, []byte("last"), began.Add(limit)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-last:
			if took := time.Since(began); took < 900*time.Millisecond {
				t.Errorf("%d %s beyond the burst are taken within %v, want 1 s", perSecond, what, took)
			}
		case <-done:
			t.Errorf("after %s the connection is closed", what)
		case <-time.After(limit):
			t.Errorf("after %s a ping gets no answer", what)
		}
		_ = conn.Close()
		<-done
	}
}

// A message that is no text ends the connection, as the protocol has it, and is no product.
func TestMessageThatIsNoText(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	s := watch(t, p)
	var list []store.Product
	s.next("PRODLIST", &list)
	s.send(strings.Replace(newProduct("mal ?", 1, picture), "?", "\xff\xfe", 1))
	if code := s.closed(); code != websocket.CloseInvalidFramePayloadData {
		t.Errorf("closed with %d, want %d", code, websocket.CloseInvalidFramePayloadData)
	}
	if newest, err := p.store.Newest(t.Context(), 1); err != nil || len(newest) > 0 {
		t.Errorf("products afterwards: %v, %v; want none", newest, err)
	}
}

// size is how many clients there are.
func (h *hub) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}
