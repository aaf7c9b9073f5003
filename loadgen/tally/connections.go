package tally

// Connections are those over which one upstream answered.
type Connections struct{ Opened, Requests int64 }

// mostConnections bounds how many are remembered. Those beyond are not counted.
const mostConnections = 1 << 12

// carrier is one connection and the upstream that answered first over it.
type carrier struct {
	upstream *upstream
	requests int64
	wandered bool // others answered, too
}

// carry counts over which connection a hit came.
func (g *group) carry(h *Hit, u *upstream) {
	if h.Conn == 0 || u == nil {
		return
	}
	c := g.carriers[h.Conn]
	if c == nil {
		if len(g.carriers) >= mostConnections {
			return
		}
		if g.carriers == nil {
			g.carriers = map[uint64]*carrier{}
		}
		c = &carrier{upstream: u}
		g.carriers[h.Conn] = c
	}
	c.requests++
	c.wandered = c.wandered || c.upstream != u
}

// connections sums up the carriers by upstream.
func (g *group) connections() (byAddr map[string]Connections, wandered int64) {
	byAddr = map[string]Connections{}
	for _, c := range g.carriers {
		if c.wandered {
			wandered++
			continue
		}
		sum := byAddr[c.upstream.addr]
		sum.Opened++
		sum.Requests += c.requests
		byAddr[c.upstream.addr] = sum
	}
	return byAddr, wandered
}

// mergeCarriers adds the connections of another goroutine to those of a group.
func (t *Tally) mergeCarriers(into, other *group) {
	for id, c := range other.carriers {
		if len(into.carriers) >= mostConnections {
			return
		}
		if into.carriers == nil {
			into.carriers = map[uint64]*carrier{}
		}
		into.carriers[id] = &carrier{upstream: t.upstream(into, c.upstream.addr), requests: c.requests, wandered: c.wandered}
	}
}
