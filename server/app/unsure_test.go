package app

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// A database that hangs while somebody signs up may save the account when it goes on. Signing up again is then signing
// in, for who knows the password and under the limits of signing in, and nobody else is told more than before.
func TestUnsureSignup(t *testing.T) {
	db := storetest.Start(t, t.TempDir(), "127.0.0.1:0")
	one, other := start(t, db.URL, Config{}), start(t, db.URL, Config{})
	eva, form := newBrowser(t), signupForm("Eva+ñ@example.com", "una clave", "Eva")
	signupUnsurely(t, db, one, eva, form)
	awaitUser(t, other, "eva+ñ@example.com")

	wrong := signupForm("eva+ñ@example.com", "otra clave", "Eva")
	for _, c := range []struct {
		what     string
		who      *browser
		form     url.Values
		location string
	}{
		{"the same again", eva, form, "/"},
		{"again with another password", eva, wrong, "/faillogin"},
		{"from elsewhere", newBrowser(t), form, "/failsignup"},
		{"from elsewhere with another password", newBrowser(t), wrong, "/failsignup"},
	} {
		got := c.who.post(other.url+"/signup", c.form)
		if got.status != 302 || got.location != c.location {
			t.Errorf("%s: got %d to %q, want 302 to %q; %s", c.what, got.status, got.location, c.location, got.body)
		}
		if set := got.header.Values("Set-Cookie"); strings.HasPrefix(strings.Join(set, "\n"), cookieName+"=") != (c.location == "/") {
			t.Errorf("%s: Set-Cookie %q", c.what, set)
		}
	}
	if got := eva.get(one.url + "/"); !strings.Contains(got.body, "Eva") {
		t.Errorf("GET / after the second attempt: got %d %s", got.status, got.body)
	}
	for i := range guessAccount { // one was counted already
		want := 302
		if i == guessAccount-1 {
			want = 429
		}
		if got := eva.post(other.url+"/signup", signupForm("eva+ñ@example.com", strconv.Itoa(i), "Eva")); got.status != want {
			t.Errorf("wrong password %d: got %d to %q, want %d", i+2, got.status, got.location, want)
		}
	}
}

// signupUnsurely signs up while the database hangs: it does not answer to the account's being saved.
func signupUnsurely(t *testing.T, db *storetest.Process, p *process, b *browser, form url.Values) {
	t.Helper()
	h := p.hasher
	for unsure := false; !unsure; { // on a machine that is too busy the turn may come too late
		h.mu.Lock()
		held := h.free // so that the sign-up waits after it has looked for the e-mail
		h.free = 0
		h.mu.Unlock()
		answered := make(chan answer, 1)
		go func() { answered <- b.post(p.url+"/signup", form) }()
		for waiting := 0; waiting == 0 && len(answered) == 0; time.Sleep(time.Millisecond) {
			h.mu.Lock()
			waiting = h.all
			h.mu.Unlock()
		}
		db.Halt(t)
		for range held {
			h.leave()
		}
		got := <-answered
		if err := db.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Fatalf("signing up while the database hangs: got %d to %q, want 503 with Retry-After", got.status, got.location)
		}
		unsure = strings.Contains(got.body, "base de datos")
	}
	hash, err := h.hash(form.Get("password"))
	if err != nil {
		t.Fatal(err)
	}
	u := store.User{Email: normalEmail(form.Get("email")), Password: hash, Name: form.Get("name")}
	for deadline := time.Now().Add(limit); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := p.store.AddUser(ctx, u)
		cancel()
		if err == nil || errors.Is(err, store.ErrEmailTaken) { // saved by the database when it went on
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the database does not go on: %v", err)
		}
	}
}

// awaitUser waits until a process is told of a user.
func awaitUser(t *testing.T, p *process, email string) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := p.store.User(ctx, email)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the database tells another process: %v", err)
		}
	}
}
