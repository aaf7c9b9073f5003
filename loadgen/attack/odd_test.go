package attack

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// answering is a server that gives each request the same answer and keeps the connection.
func answering(t *testing.T, text string) string {
	t.Helper()
	return listen(t, func(c net.Conn) {
		for request(c) {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	})
}

// TestOddAnswers has servers whose answers are hardly HTTP, or are and hardly ever seen.
func TestOddAnswers(t *testing.T) {
	for _, test := range []struct {
		name, text string
		status     int
		fast, net  tally.Class
	}{
		{"status 000", "HTTP/1.1 000 None\r\nContent-Length: 2\r\n\r\nok", 0, tally.BadResponse, tally.BadResponse},
		{"status 099", "HTTP/1.1 099 None\r\nContent-Length: 2\r\n\r\nok", 0, tally.BadResponse, tally.BadResponse},
		{"status 999", "HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nok", 999, tally.WrongStatus, tally.WrongStatus},
		{"switching protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101, tally.NoError, tally.NoError},
		{"a chunk that does not come", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 0, tally.Timeout, tally.Timeout},
		{"a body that does not come", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0, tally.Timeout, tally.Timeout},
		// Only fasthttp wants each line to end in CRLF. The connection is open, whatever its parser says.
		{"line feeds only", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, tally.BadResponse, tally.NoError},
	} {
		for engine, want := range map[Engine]tally.Class{Fast: test.fast, Vegeta: test.net} {
			t.Run(test.name+", "+string(engine), func(t *testing.T) {
				t.Parallel()
				var hits list
				cfg := config(localTarget(t, answering(t, test.text)), pace.NewSchedule(pace.Constant(50), 0, 200*time.Millisecond), &hits)
				cfg.Engine, cfg.Timeout = engine, 20*time.Second
				if want == tally.Timeout {
					cfg.Timeout = 500 * time.Millisecond
				}
				ended := make(chan error, 1)
				go func() {
					_, err := Run(context.Background(), cfg)
					ended <- err
				}()
				select {
				case err := <-ended:
					if err != nil {
						t.Fatal(err)
					}
				case <-time.After(time.Minute):
					t.Fatal("the attack does not end")
				}
				if diff := cmp.Diff(map[tally.Class]int{want: 10}, errorsOf(hits)); diff != "" {
					t.Errorf("classes of failure (-want +got):\n%s", diff)
				}
				if got := hits[0].Status; (want == tally.NoError || want == tally.WrongStatus) && got != test.status {
					t.Errorf("status %d, want %d", got, test.status)
				}
			})
		}
	}
}

// TestUnasked has servers that send more than they are asked for: each answer may be that of another request.
func TestUnasked(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, test := range []struct {
		name, text string
		want       int64
	}{
		{"one answer", ok, 0},
		{"two", ok + ok, 10},
		{"a body too long", ok + "more", 10},
		{"idle for too long", ok + "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", 0},
	} {
		var hits list
		cfg := config(localTarget(t, answering(t, test.text)), pace.NewSchedule(pace.Constant(50), 0, 200*time.Millisecond), &hits)
		cfg.Engine = Fast
		out, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if out.Unasked != test.want {
			t.Errorf("%s: %d answers were followed by more, want %d", test.name, out.Unasked, test.want)
		}
	}
}
