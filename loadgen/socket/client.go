package socket

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fasthttp/websocket"

	"balanceo/loadgen/tally"
	"balanceo/results/run"
)

// title tells a product of a run from all others.
type title struct {
	run    string
	sender int
	number int
}

func (t title) String() string { return fmt.Sprintf("loadgen %s %d %d", t.run, t.sender, t.number) }

func parseTitle(text string) (t title, ok bool) {
	parts := strings.Fields(text)
	if len(parts) != 4 || parts[0] != "loadgen" {
		return t, false
	}
	sender, err1 := strconv.Atoi(parts[2])
	number, err2 := strconv.Atoi(parts[3])
	return title{parts[1], sender, number}, err1 == nil && err2 == nil && sender >= 0 && number >= 0
}

// client is one websocket. All but conn belongs to the goroutine that reads, until that has ended.
type client struct {
	conn     *websocket.Conn
	upstream string

	seen       []uint64 // bit set of the products received
	last       []int    // by sender: number of the newest product plus 1
	doubled    int64
	outOfOrder int64
	latency    tally.Histogram
	refused    int64
	refusal    string
	broken     error // why the connection ended before it should
}

// read counts what arrives until the connection ends.
func (c *client) read(f *fan) {
	defer func() { _ = c.conn.Close() }()
	for {
		_, message, err := c.conn.ReadMessage()
		if err != nil {
			if !f.closing.Load() {
				c.broken = err
			}
			return
		}
		c.receive(f, message, time.Since(f.zero))
	}
}

func (c *client) receive(f *fan, message []byte, at time.Duration) {
	var in struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if json.Unmarshal(message, &in) != nil {
		return
	}
	switch in.Event {
	case "PRODUCT":
		var data struct {
			Title string `json:"title"`
		}
		if json.Unmarshal(in.Data, &data) != nil {
			return
		}
		if t, ok := parseTitle(data.Title); ok && t.run == f.cfg.Run && t.number < f.hits && t.sender < len(c.last) {
			c.count(f, t, at)
		}
	case "ERROR":
		var data struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(in.Data, &data)
		c.refused++
		c.refusal = data.Message
	}
}

func (c *client) count(f *fan, t title, at time.Duration) {
	word, bit := t.number/64, uint64(1)<<(t.number%64)
	for len(c.seen) <= word {
		c.seen = append(c.seen, 0)
	}
	measured := f.cfg.Schedule.Due(uint64(t.number)) >= f.cfg.Schedule.Warmup
	if c.seen[word]&bit != 0 {
		if measured {
			c.doubled++
		}
		return
	}
	c.seen[word] |= bit
	f.got.Add(1)
	if measured {
		c.latency.Add(at - f.cfg.Schedule.Due(uint64(t.number)))
		if f.clients[t.sender] == c {
			f.returned(t.number, at)
		}
		if t.number < c.last[t.sender] {
			c.outOfOrder++
		}
	}
	c.last[t.sender] = max(c.last[t.sender], t.number+1)
}

// has tells whether a product has come.
func (c *client) has(number int) bool {
	word := number / 64
	return word < len(c.seen) && c.seen[word]&(1<<(number%64)) != 0
}

// returned passes on that a product has come back to its sender.
func (f *fan) returned(number int, at time.Duration) {
	if f.cfg.Delivered != nil {
		due := f.cfg.Schedule.Due(uint64(number))
		f.cfg.Delivered(&tally.Hit{Due: due, Sent: due, Done: at, Status: http.StatusOK})
	}
}

// sum adds up what the clients counted of the n products that were sent.
func (f *fan) sum(out *Outcome, n int) error {
	for i := range n {
		if f.cfg.Schedule.Due(uint64(i)) >= f.cfg.Schedule.Warmup {
			out.WS.Sent++
			for _, c := range f.clients { // by number, so that what was never sent makes up for nothing
				if !c.has(i) {
					out.WS.Lost++
				}
			}
		}
	}
	out.WS.Clients = len(f.clients)
	latency := map[string]*tally.Histogram{}
	clients := map[string]int{}
	var all tally.Histogram
	for _, c := range f.clients {
		out.WS.Doubled += c.doubled
		out.WS.OutOfOrder += c.outOfOrder
		out.Refused += c.refused
		if c.refused > 0 {
			out.Reason = c.refusal
		}
		if c.broken != nil {
			out.Broken++
			out.Reason = c.broken.Error()
		}
		clients[c.upstream]++
		if latency[c.upstream] == nil {
			latency[c.upstream] = &tally.Histogram{}
		}
		latency[c.upstream].Merge(&c.latency)
		all.Merge(&c.latency)
	}
	out.WS.Delivered = out.WS.Sent*int64(len(f.clients)) - out.WS.Lost
	var err error
	out.Latency, err = all.LatencyHDR()
	out.Lag = f.lag.Lag()
	out.WS.Upstreams = []run.WSUpstream{}
	for _, addr := range slices.Sorted(maps.Keys(clients)) {
		out.WS.Upstreams = append(out.WS.Upstreams, run.WSUpstream{Addr: addr, Clients: clients[addr], Latency: latency[addr].Latency()})
	}
	return err
}
