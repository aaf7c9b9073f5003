//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// slowest is how long an attacker's patience lasts.
const slowest = 45 * time.Second

func slowAttacks() []attack {
	const some = 300
	head := "GET /info HTTP/1.1\r\nHost: x\r\n"
	return []attack{
		{"slow headers", fmt.Sprintf("%d connections, a header line every 0.5 s", some), nil, func(_ *testing.T, _ *field, addr string) outcome {
			return within(many(some, func(int) string { return dribble(addr, head, "X: y\r\n") }))
		}},
		{"slow body", fmt.Sprintf("%d connections, one byte of 64,000 every 0.5 s", some), []string{direct}, func(_ *testing.T, _ *field, addr string) outcome {
			return within(many(some, func(int) string {
				return dribble(addr, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 64000\r\n\r\n", "x")
			}))
		}},
		{"slow body", fmt.Sprintf("%d connections, one byte of 40 every 0.5 s", some), []string{front}, func(_ *testing.T, _ *field, addr string) outcome {
			// nginx waits for each byte anew, and asks a server when it has all of them.
			return within(many(some, func(int) string {
				return dribble(addr, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n", "x")
			}))
		}},
		{"slow readers", "100 connections with 3,000 requests each for 10,000 numbers, nothing read", []string{api, front}, func(_ *testing.T, _ *field, addr string) outcome {
			return within(many(100, func(int) string { return neverRead(addr) }))
		}},
		{"idle connections", "100,000 connections that say nothing, of which 8,192 may be served at once", []string{direct}, idle},
		{"idle connections", "100,000 connections that say nothing", []string{front}, idle},
	}
}

// dribble sends begin, and then a piece every half second until the other side has had enough.
func dribble(addr, begin, piece string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "not accepted"
	}
	defer conn.Close()
	began := time.Now()
	_, _ = conn.Write([]byte(begin))
	ended := make(chan string, 1)
	go func() {
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		if found := statuses(string(buf[:n])); len(found) > 0 {
			ended <- found[0]
		} else {
			ended <- "closed"
		}
	}()
	for time.Since(began) < slowest {
		select {
		case how := <-ended:
			return fmt.Sprintf("%s within %d s", how, int(time.Since(began).Seconds()/5+1)*5)
		case <-time.After(500 * time.Millisecond):
			_, _ = conn.Write([]byte(piece))
		}
	}
	return "still open"
}

// neverRead asks and asks and reads nothing; the answers fill all buffers.
func neverRead(addr string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "not accepted"
	}
	defer conn.Close()
	began := time.Now()
	_ = conn.SetWriteDeadline(began.Add(slowest))
	request := strings.Repeat("GET /api/randoms?cant=10000 HTTP/1.1\r\nHost: x\r\n\r\n", 100)
	for range 30 {
		if _, err := conn.Write([]byte(request)); err != nil {
			return ended(err, began)
		}
	}
	// All was taken; now until the other side gives up: a byte more fails then.
	for time.Since(began) < slowest {
		time.Sleep(500 * time.Millisecond)
		if _, err := conn.Write([]byte("\r\n")); err != nil {
			return ended(err, began)
		}
	}
	return "still open"
}

func ended(err error, began time.Time) string {
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		return "still open"
	}
	return fmt.Sprintf("closed within %d s", int(time.Since(began).Seconds()/5+1)*5)
}

// within tells what came back; it is well if all connections had ended.
func within(count map[string]int) outcome {
	return outcome{tell(count), count["still open"] == 0 && count["not accepted"] == 0}
}

// idle opens 100,000 connections and says nothing on them. As many are open at once as this process has descriptors for,
// from several addresses, as each has some 28,000 ports.
func idle(_ *testing.T, _ *field, addr string) outcome {
	const all = 100_000
	gate := make(chan struct{}, 256) // no more at once than the queue of the listener holds
	room := make(chan struct{}, 15_000)
	began := time.Now()
	count := many(all, func(i int) string {
		room <- struct{}{}
		defer func() { <-room }()
		gate <- struct{}{}
		from := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%100))}}
		conn, err := from.Dial("tcp", addr)
		<-gate
		if err != nil {
			return "not accepted"
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(slowest))
		buf := make([]byte, 256)
		n, err := conn.Read(buf)
		if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
			return "still open"
		}
		if found := statuses(string(buf[:n])); len(found) > 0 {
			return found[0] + " and closed"
		}
		return "closed"
	})
	return outcome{
		fmt.Sprintf("%s, all within %.0f s", tell(count), time.Since(began).Seconds()),
		count["still open"] == 0,
	}
}
