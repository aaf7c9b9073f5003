//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// floodTime is how long a flood lasts.
const floodTime = 5 * time.Second

// Where attackers and others come from: all of 127.0.0.0/8 is this machine.
const (
	attackerAt = "127.0.0.2"
	otherAt    = "127.0.0.3"
)

// clientAt is an HTTP client with an address of its own, which follows no redirect.
func clientAt(from string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func form(email, password string) url.Values {
	return url.Values{"email": {email}, "password": {password}, "name": {"X"}}
}

// post tells the status and where it leads.
func post(c *http.Client, address string, fields url.Values) (what string, resp *http.Response) {
	resp, err := c.PostForm(address, fields)
	if err != nil {
		return "no answer", nil
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location"))), resp
}

// flooded repeats one from n connections for floodTime.
func flooded(n int, one func(i int) string) map[string]int {
	all := map[string]int{}
	until := time.Now().Add(floodTime)
	said := make(chan map[string]int, n)
	for i := range n {
		go func() {
			count := map[string]int{}
			for round := 0; time.Now().Before(until); round++ {
				count[one(i+n*round)]++
			}
			said <- count
		}()
	}
	for range n {
		for what, k := range <-said {
			all[what] += k
		}
	}
	return all
}

func floods() []attack {
	return []attack{
		{"guessing", "40 connections, passwords of one account; the owner signs in from elsewhere", []string{front}, guessing},
		{"sign-up flood", "40 connections, a new e-mail each time; somebody signs in from elsewhere", []string{front}, signups},
		{"randoms flood", "64 connections, cant=1000000000", []string{front, api}, func(_ *testing.T, _ *field, addr string) outcome {
			c := clientAt(attackerAt)
			defer c.CloseIdleConnections()
			count := flooded(64, func(int) string {
				resp, err := c.Get("http://" + addr + "/api/randoms?cant=1000000000")
				if err != nil {
					return "no answer"
				}
				defer resp.Body.Close()
				_, _ = io.Copy(io.Discard, resp.Body)
				return fmt.Sprint(resp.StatusCode)
			})
			return outcome{tell(count), count["no answer"] == 0 && count["503"] > 0 && count["200"]+count["503"] == total(count)}
		}},
		{"websocket flood", "20 websockets of one session, products as fast as it goes; frames of 1 MB; handshakes without a session", []string{front}, sockets},
	}
}

func total(count map[string]int) (n int) {
	for _, k := range count {
		n += k
	}
	return n
}

// besides signs somebody in again and again while an attack goes on, and tells how long that took at most.
func besides(t *testing.T, addr, email string, attack func() map[string]int) (count map[string]int, text string, ok bool) {
	t.Helper()
	other := clientAt(otherAt)
	defer other.CloseIdleConnections()
	if what, _ := post(other, "http://"+addr+"/signup", form(email, "una clave")); what != "302 /" {
		t.Fatalf("signing up before the attack: %s", what)
	}
	done := make(chan struct{})
	result := make(chan string, 1)
	in, longest := true, time.Duration(0)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-done:
				result <- fmt.Sprintf("right password from elsewhere: %d sign-ins, longest %s", n, ms(longest))
				return
			default:
			}
			began := time.Now()
			if what, _ := post(other, "http://"+addr+"/login", form(email, "una clave")); what != "302 /" {
				in = false
				t.Errorf("the right password from elsewhere gets %s", what)
			}
			longest = max(longest, time.Since(began))
		}
	}()
	count = attack()
	close(done)
	return count, <-result, in
}

func guessing(t *testing.T, _ *field, addr string) outcome {
	c := clientAt(attackerAt)
	defer c.CloseIdleConnections()
	count, others, in := besides(t, addr, "victim@example.com", func() map[string]int {
		return flooded(40, func(i int) string {
			what, resp := post(c, "http://"+addr+"/login", form("victim@example.com", fmt.Sprint("guess ", i)))
			if resp != nil && resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
				return what + " without Retry-After"
			}
			return what
		})
	})
	// Beside the ten that are allowed, one in each process may have been under way.
	guessed := count["302 /faillogin"]
	return outcome{tell(count) + "; " + others, in && count["429"] > 0 && guessed >= 10 && guessed <= 20 && count["302 /"] == 0}
}

func signups(t *testing.T, _ *field, addr string) outcome {
	c := clientAt(attackerAt)
	defer c.CloseIdleConnections()
	count, others, in := besides(t, addr, "patient@example.com", func() map[string]int {
		return flooded(40, func(i int) string {
			what, _ := post(c, "http://"+addr+"/signup", form(fmt.Sprintf("flood%d@example.com", i), "una clave"))
			return what
		})
	})
	return outcome{tell(count) + "; " + others, in && count["302 /"] > 0 && count["302 /"]+count["503"] == total(count)}
}

func sockets(t *testing.T, _ *field, addr string) outcome {
	c := clientAt(otherAt)
	defer c.CloseIdleConnections()
	_, resp := post(c, "http://"+addr+"/signup", form("sockets@example.com", "una clave"))
	if resp == nil || len(resp.Cookies()) == 0 {
		t.Fatal("signing up gave no cookie")
	}
	header := http.Header{"Cookie": {resp.Cookies()[0].String()}}
	ctx, cancel := context.WithTimeout(t.Context(), floodTime)
	defer cancel()
	sent := make(chan int, 20)
	for i := range cap(sent) {
		go func() {
			n := 0
			defer func() { sent <- n }()
			conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+addr+"/ws", header)
			if err != nil {
				t.Errorf("websocket: %v, %v", resp, err)
				return
			}
			defer conn.Close()
			go func() { // products of all come back
				for {
					if _, _, err := conn.NextReader(); err != nil {
						return
					}
				}
			}()
			for ; ctx.Err() == nil; n++ {
				_ = conn.SetWriteDeadline(time.Now().Add(floodTime))
				product := fmt.Sprintf(`{"event":"NEWPROD","data":{"title":"flood %d %d","price":1,"thumbnail":"http://a.example/"}}`, i, n)
				if conn.WriteMessage(websocket.TextMessage, []byte(product)) != nil {
					return
				}
			}
		}()
	}
	all := 0
	for range cap(sent) {
		all += <-sent
	}
	count := many(200, func(int) string {
		_, resp, err := websocket.DefaultDialer.Dial("ws://"+addr+"/ws", nil)
		if resp == nil {
			return fmt.Sprint(err)
		}
		return fmt.Sprint(resp.StatusCode)
	})
	big := "kept"
	if conn, _, err := websocket.DefaultDialer.Dial("ws://"+addr+"/ws", header); err == nil {
		defer conn.Close()
		_ = conn.WriteMessage(websocket.TextMessage, make([]byte, 1<<20))
		for {
			_ = conn.SetReadDeadline(time.Now().Add(limit))
			if _, _, err := conn.ReadMessage(); err != nil {
				if websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
					big = "closed as too big"
				} else if !strings.Contains(err.Error(), "timeout") {
					big = "closed"
				}
				break
			}
		}
	}
	return outcome{
		fmt.Sprintf("%d products written into buffers, %s handshakes; the frame of 1 MB: %s", all, tell(count), big),
		count["401"] == 200 && big != "kept",
	}
}
