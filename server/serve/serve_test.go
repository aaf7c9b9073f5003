package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/server/scoreboard"
	"balanceo/topology/layout"
)

func TestDelayed(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, 200 * time.Microsecond, 5 * time.Millisecond} {
		called := false
		h := delayed(func() time.Duration { return d }, func(*fasthttp.RequestCtx) { called = true })
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		begin := time.Now()
		h(&ctx)
		if took := time.Since(begin); took < d || !called {
			t.Errorf("delayed(%v) took %v, called %v; want at least %v and true", d, took, called, d)
		}
	}
}

func TestGracePeriodsOutlastEachOther(t *testing.T) {
	t.Parallel()
	periods := []struct {
		name string
		d    time.Duration
	}{
		{"quietTime", quietTime},
		{"OrphanLimit", OrphanLimit},
		{"DrainLimit", DrainLimit},
		{"WorkerGrace", WorkerGrace},
		{"InstanceGrace", InstanceGrace},
	}
	for i := 1; i < len(periods); i++ {
		if before, after := periods[i-1], periods[i]; after.d-before.d < 200*time.Millisecond {
			t.Errorf("%s (%v) is to outlast %s (%v)", after.name, after.d, before.name, before.d)
		}
	}
	if Silence < 4*BeatPeriod {
		t.Errorf("Silence (%v) is to outlast some BeatPeriods (%v)", Silence, BeatPeriod)
	}
}

// What can't be read is answered also on a connection that was idle for longer than an answer may take.
func TestUnreadableAfterIdle(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if err := here.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil { // of the answer before
		t.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	ctx.Init2(here, nil, false)
	answerUnreadable(&ctx, errors.New("unreadable"))
	go func() { _, _ = io.Copy(io.Discard, there) }() // ends with the connection
	if _, err := ctx.Response.WriteTo(here); err != nil {
		t.Errorf("the answer %d can't be written: %v", ctx.Response.StatusCode(), err)
	}
}

// A connection on which nothing comes is closed without an answer, and is no request; one on which half a request came is.
func TestNothingAsked(t *testing.T) {
	t.Parallel()
	board, addr := serving(t, 50*time.Millisecond)
	const late = "HTTP/1.1 408"
	for sent, want := range map[string]string{
		"": "", "GET /half": late,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf":               late,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf": late,
	} {
		before := board.Requests()
		got, err := talk(t, addr, sent)
		if err != nil || len(got) > 0 != (want != "") || !strings.HasPrefix(got, want) {
			t.Errorf("after %q: got %q, %v, want %q", sent, got, err, want)
		}
		if n := board.Requests() - before; n != int64(len(want)/len(late)) {
			t.Errorf("after %q: %d requests counted", sent, n)
		}
	}
}

// Fields that are counted in hundreds are refused before anything makes room for each of them.
func TestFieldsAreCounted(t *testing.T) {
	t.Parallel()
	board, addr := serving(t, 0)
	ask := func(query, cookies string, form int) string {
		body := strings.Repeat("a&", form)
		return fmt.Sprintf("POST /?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			query, cookies, len(body), body)
	}
	few, enough := strings.Repeat("Cookie: a"+strings.Repeat(";a", 50)+"\r\n", 5), strings.Repeat("a&", fieldsMost-1)
	for _, c := range []struct{ what, text, want string }{
		{"as many as may be", ask(enough, few, fieldsMost-1), "HTTP/1.1 200"},
		{"fields of a query", ask(enough+"&", "", 0), "HTTP/1.1 400"},
		{"fields of a form", ask("", "", fieldsMost), "HTTP/1.1 400"},
		{"cookies, in several headers", ask("", few+few, 0), "HTTP/1.1 400"},
		{"a form that is none", strings.ReplaceAll(ask("", "", 1), "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"), "HTTP/1.1 200"},
		{"headers", ask("", strings.Repeat("a:\r\n", fieldsMost), 0), "HTTP/1.1 400"},
	} {
		before := board.Requests()
		got, err := talk(t, addr, c.text)
		if err != nil || !strings.HasPrefix(got, c.want) || !strings.Contains(got, layout.HeaderWorker) {
			t.Errorf("%s: got %q, %v, want %q with %s", c.what, got, err, c.want, layout.HeaderWorker)
		}
		if n := board.Requests() - before; n != 1 {
			t.Errorf("%s: %d requests counted", c.what, n)
		}
	}
}

// serving runs a server that answers 200 to everything, until the test ends. patience is for a request; 0: the usual.
func serving(t *testing.T, patience time.Duration) (board *scoreboard.Board, addr string) {
	t.Helper()
	board, err := scoreboard.Open(filepath.Join(t.TempDir(), "board"), nil)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := board.Join()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := func(*fasthttp.RequestCtx) {}
	s := New(Config{Listener: ln, Slot: slot, Handler: handler, Delay: func() time.Duration { return 0 }})
	if patience > 0 {
		s.fast.ReadTimeout = patience
	}
	s.Start()
	t.Cleanup(func() {
		_ = s.Drain(context.Background(), time.Second, func(context.Context) error { return nil })
		_ = board.Close()
	})
	return board, ln.Addr().String()
}

// talk sends text on a connection of its own and returns what comes until that is closed.
func talk(t *testing.T, addr, text string) (string, error) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
	got, err := io.ReadAll(conn)
	return string(got), err
}
