package app

import (
	"context"
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fasthttp/websocket"

	"balanceo/server/store"
)

// Times and sizes of one websocket.
const (
	pingPeriod  = 25 * time.Second // nginx closes what is silent for 60 s
	pongWait    = 60 * time.Second
	writeWait   = 5 * time.Second // a reader that takes longer is dropped
	closeWait   = time.Second     // until the other side must have answered a close
	messagesDue = 64              // messages that wait for a slow reader before it is dropped
	socketsMost = 4096            // websockets of this process
)

// What one websocket may send: a burst, and then so many messages a second; further ones wait unread.
const (
	burstMost = 100
	perSecond = 50
)

// closeSession is the close code for "your session is over". Codes from 4000 are an application's own
// (RFC 6455, 7.4.2).
const closeSession = 4001

// client is one websocket.
type client struct {
	app  *App
	conn *websocket.Conn
	key  string    // of the session
	end  time.Time // of the session, as far as is known
	free time.Time // when all of the burst is free again

	out     chan *websocket.PreparedMessage
	look    chan struct{} // something is in it: the session may have ended unheard
	closing chan struct{} // closed once a goodbye is set
	once    sync.Once
	goodbye goodbye
}

// goodbye is how a websocket is closed: with a last message, if any, and a close frame.
type goodbye struct {
	message *websocket.PreparedMessage
	code    int
	reason  string
}

// serve reads until the connection ends; what is written goes through write.
func (c *client) serve() {
	defer func() { _ = c.conn.Close() }()
	if !c.app.hub.join(c) {
		c.restart()
		c.sayGoodbye()
		return
	}
	defer c.app.hub.leave(c)
	written := make(chan struct{})
	go func() {
		defer close(written)
		if !c.app.guard.run("writing to a websocket", c.write) {
			c.leave(goodbye{})
			c.endReading(0)
		}
	}()
	defer func() {
		c.leave(goodbye{})
		<-written
	}()
	c.read()
}

func (c *client) read() {
	c.conn.SetReadLimit(messageMost)
	alive := func(string) error {
		select {
		case <-c.closing: // the time to answer the close stays as it is
			return nil
		default:
			return c.conn.SetReadDeadline(time.Now().Add(pongWait))
		}
	}
	if alive("") != nil {
		return
	}
	paced := func(handle func(string) error) func(string) error {
		return func(data string) error {
			c.paced() // also what only asks for an answer
			return handle(data)
		}
	}
	c.conn.SetPongHandler(paced(alive))
	c.conn.SetPingHandler(paced(c.conn.PingHandler()))
	for {
		_, message, err := c.conn.ReadMessage()
		if err != nil || !c.paced() {
			return
		}
		c.receive(message)
	}
}

// paced waits until the client may send another message. It reports false if the connection ends meanwhile.
func (c *client) paced() bool {
	now := time.Now()
	if c.free.Before(now) {
		c.free = now
	}
	c.free = c.free.Add(time.Second / perSecond)
	over := c.free.Sub(now) - burstMost*time.Second/perSecond
	if over <= 0 {
		return true
	}
	select {
	case <-time.After(over):
		return true
	case <-c.closing:
		return false
	}
}

// receive handles one message of the browser. The session is asked for each time: it may have ended, here or
// through another process, since the page was opened.
func (c *client) receive(message []byte) {
	if !utf8.Valid(message) { // RFC 6455, 8.1
		c.leave(goodbye{code: websocket.CloseInvalidFramePayloadData, reason: "not UTF-8"})
		return
	}
	p, err := decodeProduct(message, time.Now())
	if err == nil {
		err = c.add(p)
	}
	if err == nil {
		return
	}
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{Code: codeUnavailable, Message: "La base de datos no responde. Probá de nuevo en unos segundos.", ID: p.ID.Hex()}
	}
	if r.Code == codeSession {
		c.sessionOver()
		return
	}
	c.send(prepare(encode(eventError, r)))
}

func (c *client) add(p store.Product) error {
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	switch _, err := c.app.sessions.provider.touch(ctx, c.key); {
	case errors.Is(err, store.ErrNotFound):
		return &refusal{Code: codeSession, Message: "Para agregar productos hay que ingresar."}
	case err != nil:
		return err
	}
	return c.app.cfg.Store.AddProduct(ctx, p)
}

// send queues a message. A reader that is too slow to keep up is dropped: it connects again and gets the list.
func (c *client) send(message *websocket.PreparedMessage) {
	select {
	case c.out <- message:
	default:
		c.leave(goodbye{code: websocket.CloseTryAgainLater, reason: "too slow"})
	}
}

// sessionOver tells the page that its session has ended.
func (c *client) sessionOver() {
	r := &refusal{Code: codeSession, Message: "Tu sesión terminó."}
	c.leave(goodbye{prepare(encode(eventError, r)), closeSession, "session is over"})
}

// restart tells the page to connect again: this process is going.
func (c *client) restart() {
	c.leave(goodbye{code: websocket.CloseServiceRestart, reason: "restart"})
}

// leave closes the connection; the first goodbye counts.
func (c *client) leave(g goodbye) {
	c.once.Do(func() {
		c.goodbye = g
		close(c.closing)
	})
}

// write writes what is queued, pings, and looks whether the session has ended while nothing happened.
func (c *client) write() {
	ping := time.NewTicker(pingPeriod)
	defer ping.Stop()
	expiry := time.NewTimer(time.Until(c.end))
	defer expiry.Stop()
	for {
		var err error
		select {
		case <-c.closing:
			c.sayGoodbye()
			return
		case message := <-c.out:
			err = c.put(message)
		case <-ping.C:
			err = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
		case <-c.look:
			expiry.Reset(c.expired())
		case <-expiry.C:
			expiry.Reset(c.expired())
		}
		if err != nil {
			c.leave(goodbye{})
			c.endReading(0)
			return
		}
	}
}

// lookAgain makes write look whether the session still lives.
func (c *client) lookAgain() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}

// expired is called when the session should have ended, or may have. It returns when to look again: requests may have
// renewed it.
func (c *client) expired() time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	now := time.Now()
	held, err := c.app.cfg.Store.Session(ctx, c.key, now) // read only: an open page is no use of the session
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.sessionOver()
		return time.Hour
	case err != nil:
		return time.Second
	}
	return held.ExpiresAt.Sub(now)
}

func (c *client) put(message *websocket.PreparedMessage) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	return c.conn.WritePreparedMessage(message)
}

// sayGoodbye writes the last message and the close frame, and gives the other side a moment to close.
func (c *client) sayGoodbye() {
	g := c.goodbye
	if g.code == 0 {
		c.endReading(0)
		return
	}
	if g.message != nil {
		_ = c.put(g.message)
	}
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(g.code, g.reason), time.Now().Add(closeWait))
	c.endReading(closeWait)
}

// endReading ends serve, after wait at the latest. Closing the connection would not do so: fasthttp closes it
// only when serve returns.
func (c *client) endReading(wait time.Duration) {
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
}
