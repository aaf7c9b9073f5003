//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"balanceo/results/faults"
	"balanceo/topology/layout"
)

var table = flag.String("table", "", "file whose section Abuse gets the table")

// intro stands above the table.
const intro = "Printed and kept here by `make abuse`: the whole layout `seed` on one machine, attackers, nginx and servers together (%s).\n" +
	"\"Others\" is one client that asks for /info through nginx 50 times a second meanwhile.\n\n"

// attack is one row of the table for each target.
type attack struct {
	name    string
	sent    string
	targets []string                                                 // of field.addrs; nil: directly and through nginx
	launch  func(t *testing.T, f *field, addr string) (back outcome) // returns when it is over
}

// outcome is what came back, and whether that is as it should be.
type outcome struct {
	text string
	ok   bool
}

// field is the running layout that is attacked.
type field struct {
	addrs map[string]string // host:port of nginx, of a server of the pages and of one of the numbers
}

const (
	front  = "nginx"
	direct = "direct"
	api    = "direct, numbers"
)

// TestAbuse attacks a whole layout, one attack after the other, while somebody asks for /info through nginx.
func TestAbuse(t *testing.T) {
	url := layoutUp(t)
	f := &field{addrs: map[string]string{
		front: strings.TrimPrefix(url, "http://"), direct: siteServers(t, url)[0], api: upstreamOf(t, url+"/api/randoms?cant=1"),
	}}
	rows := []string{
		"| what was sent | to | what came back | others: /info through nginx meanwhile |", "|---|---|---|---|",
		fmt.Sprintf("| nothing, for comparison | – | – | %s |", meanwhile(f, func() { time.Sleep(5 * time.Second) })),
	}
	for _, a := range slices.Concat(slowAttacks(), malformedAttacks(), floods()) {
		targets := a.targets
		if targets == nil {
			targets = []string{direct, front}
		}
		for _, to := range targets {
			t.Run(a.name+" "+to, func(t *testing.T) {
				var back outcome
				felt := meanwhile(f, func() { back = a.launch(t, f, f.addrs[to]) })
				if !back.ok {
					t.Errorf("%s: %s", a.sent, back.text)
				}
				rows = append(rows, fmt.Sprintf("| **%s**: %s | %s | %s | %s |", a.name, a.sent, to, back.text, felt))
				if felt.failed > felt.asked/100 {
					t.Errorf("others: %s", felt)
				}
			})
		}
	}
	text := strings.Join(rows, "\n") + "\n"
	t.Logf("\n%s", text)
	if *table == "" {
		return
	}
	if err := faults.Put(*table, "Abuse", fmt.Sprintf(intro, faults.Machine())+text); err != nil {
		t.Error(err)
	}
}

func upstreamOf(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get(layout.HeaderUpstream)
}

// feeling is what somebody else noticed.
type feeling struct {
	asked, failed int
	p50, p99, max time.Duration
}

func (f feeling) String() string {
	if f.asked < 200 { // too few for a percentile
		return fmt.Sprintf("longest %s; %d of %d failed", ms(f.max), f.failed, f.asked)
	}
	return fmt.Sprintf("p50 %s, p99 %s, max %s; %d of %d failed", ms(f.p50), ms(f.p99), ms(f.max), f.failed, f.asked)
}

func ms(d time.Duration) string {
	if d > 10*time.Millisecond {
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f ms", float64(d)/1e6)
}

// meanwhile asks for /info while work goes on. Each request is due at its time, and takes from then.
func meanwhile(f *field, work func()) feeling {
	const period = 20 * time.Millisecond
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 50}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		due := time.Now()
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Until(due)):
			}
			asked := due
			asking.Go(func() {
				resp, err := client.Get("http://" + f.addrs[front] + "/info")
				if err == nil {
					resp.Body.Close()
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(asked))
				if err != nil || resp.StatusCode != http.StatusOK {
					failed++
				}
			})
			due = due.Add(period)
		}
	})
	work()
	close(done)
	asking.Wait()
	slices.Sort(took)
	return feeling{len(took), failed, took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}
}

// many runs n of the same at once and counts what they say.
func many(n int, one func(i int) string) map[string]int {
	said := make(chan string, n)
	for i := range n {
		go func() { said <- one(i) }()
	}
	count := map[string]int{}
	for range n {
		count[<-said]++
	}
	return count
}

// tell writes counts as "5 × closed, 2 × 503".
func tell(count map[string]int) string {
	var parts []string
	for what, n := range count {
		parts = append(parts, fmt.Sprintf("%d × %s", n, what))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// talk sends bytes over a connection of its own and returns what comes back until the other side closes, or
// until it has been silent for a second.
func talk(addr, text string) (answer string, closed bool) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error(), true
	}
	defer conn.Close()
	go func() { _, _ = conn.Write([]byte(text)) }() // it may be refused before it is all sent
	var all []byte
	buf := make([]byte, 64<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			netErr, ok := err.(net.Error)
			return string(all), !ok || !netErr.Timeout()
		}
	}
}

// statuses are those of the answers in text.
func statuses(text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`HTTP/1\.[01] (\d{3})`).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}
