package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fasthttp/session/v2"
	"github.com/valyala/fasthttp"

	"balanceo/server/store"
)

// cookieName holds the id of the session. It has no expiry of its own: the session's end is in the store.
const cookieName = "balanceo"

// dbBudget bounds one question to the database, so that a page says within two seconds that it is away.
const dbBudget = 1500 * time.Millisecond

// renewals is how many times in its life a session that is used is renewed at most: its end is at least
// (1 − 1/renewals) and at most one life after its last use, and most requests write nothing.
const renewals = 10

// Keys of what a session holds.
const (
	sessionEmail = "email"
	sessionName  = "name"
)

// visitor is somebody who is signed in.
type visitor struct {
	Email, Name string
}

// sessions are the sessions of everybody, over session/v2. A visitor who is not signed in has none.
type sessions struct {
	manager  *session.Session
	provider provider
}

func newSessions(s *store.Store, life time.Duration) (*sessions, error) {
	p := provider{store: s, life: life}
	m := session.New(session.Config{
		CookieName:             cookieName,
		Expiration:             -1, // of the cookie: when the browser is closed
		Secure:                 true,
		IsSecureFunc:           secure,
		CookieSameSite:         fasthttp.CookieSameSiteLaxMode,
		SessionIDGeneratorFunc: newSessionID,
		EncodeFunc:             session.MSGPEncode,
		DecodeFunc:             session.MSGPDecode,
	})
	if err := m.SetProvider(p); err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return &sessions{manager: m, provider: p}, nil
}

// newSessionID returns 192 random bits as text.
func newSessionID() []byte {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails
	return []byte(hex.EncodeToString(raw[:]))
}

// visitor tells who asks. ok is false for somebody who is not signed in. Only a request with a cookie asks the
// store, once.
func (s *sessions) visitor(ctx *fasthttp.RequestCtx) (v visitor, ok bool, err error) {
	if !hasSessionCookie(ctx) {
		return visitor{}, false, nil
	}
	held, err := s.manager.Get(ctx)
	if err != nil {
		return visitor{}, false, err
	}
	v.Email, ok = held.Get(sessionEmail).(string)
	v.Name, _ = held.Get(sessionName).(string)
	return v, ok, nil
}

// begin signs v in, with a new id whatever the browser sent: an id that somebody planted there is of no use.
// The session that the browser had ends, after the new one is there.
func (s *sessions) begin(ctx *fasthttp.RequestCtx, v visitor) error {
	old := bytes.Clone(ctx.Request.Header.Cookie(cookieName))
	ctx.Request.Header.DelCookie(cookieName)
	held, err := s.manager.Get(ctx)
	if err != nil {
		return err
	}
	held.Set(sessionEmail, v.Email)
	held.Set(sessionName, v.Name)
	if err := s.manager.Save(ctx, held); err != nil {
		return err
	}
	if len(old) > 0 {
		return s.provider.Destroy(old)
	}
	return nil
}

// end removes the session from the store and the cookie from the browser.
func (s *sessions) end(ctx *fasthttp.RequestCtx) error {
	if !hasSessionCookie(ctx) {
		return nil
	}
	return s.manager.Destroy(ctx)
}

func hasSessionCookie(ctx *fasthttp.RequestCtx) bool {
	return len(ctx.Request.Header.Cookie(cookieName)) > 0
}

// provider keeps sessions in the store. It renews a session when it is read.
type provider struct {
	store *store.Store
	life  time.Duration
}

var _ session.Provider = provider{}

// errNoStore is how an application without a store answers what needs one.
var errNoStore = fmt.Errorf("%w: none is configured", store.ErrUnavailable)

// sessionKey is under what a session is kept: whoever reads the database can't use the sessions in it.
func sessionKey(id []byte) string {
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:])
}

// touch returns a living session and renews it if it is time to.
func (p provider) touch(ctx context.Context, key string) (store.Session, error) {
	if p.store == nil {
		return store.Session{}, errNoStore
	}
	now := time.Now()
	held, err := p.store.Session(ctx, key, now)
	due := func() bool { return err == nil && held.ExpiresAt.Sub(now) < p.life-p.life/renewals }
	if due() { // unless another process has renewed it
		held, err = p.store.StoredSession(ctx, key, now)
	}
	if err != nil {
		return store.Session{}, err
	}
	if due() {
		until := now.Add(p.life)
		if err := p.store.RenewSession(ctx, key, until); err != nil {
			slog.Warn("session was not renewed", "error", err)
		} else {
			held.ExpiresAt = until
		}
	}
	return held, nil
}

// Get returns what the session holds, nothing if it has ended.
func (p provider) Get(id []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	held, err := p.touch(ctx, sessionKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return held.Data, err
}

// Save saves a session. Its life is the provider's: the expiration given is the cookie's.
func (p provider) Save(id, data []byte, _ time.Duration) error {
	if p.store == nil {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return p.store.SaveSession(ctx, store.Session{Key: sessionKey(id), Data: data, ExpiresAt: time.Now().Add(p.life)})
}

// Destroy ends a session, for every process at once.
func (p provider) Destroy(id []byte) error {
	if p.store == nil {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return p.store.EndSession(ctx, sessionKey(id))
}

// Regenerate moves a session to another id.
func (p provider) Regenerate(id, newID []byte, expiration time.Duration) error {
	data, err := p.Get(id)
	if err != nil {
		return err
	}
	if err := p.Save(newID, data, expiration); err != nil {
		return err
	}
	return p.Destroy(id)
}

// Count is not known: it would be a question to the database that nobody asks.
func (p provider) Count() int { return 0 }

// NeedGC is false: the store removes old sessions itself.
func (p provider) NeedGC() bool { return false }

// GC does nothing.
func (p provider) GC() error { return nil }
