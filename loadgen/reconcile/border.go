package reconcile

import (
	"maps"
	"time"
)

// span is the time that a question took: what was answered in it may be in the answer, or not yet.
type span struct{ from, to time.Time }

// reading is what servers said, by address, and when.
type reading struct {
	span
	servers map[string]told
}

// answer is an attempt of somebody else's request that a server answered after the attack, and so perhaps after it was
// asked for its count.
type answer struct {
	addr             string
	earliest, latest int64 // when it was counted, in Unix milliseconds
}

// counted is when a server counted the request: after its first byte came in, and before the answer was complete. A websocket
// is counted when it opens.
func (l *line) counted() (earliest, latest int64) {
	latest = l.ended().UnixMilli()
	if l.upgraded() {
		latest = min(latest, l.began().UnixMilli()+opening)
	}
	return l.began().UnixMilli() - blur, latest + blur
}

// opening is how long a handshake of a websocket may take, in milliseconds.
const opening = 1000

// addOthers counts attempts of somebody else's request, which may lie at the border of what the servers were asked.
func (c *logCount) addOthers(l *line, attempts []attempt) {
	earliest, latest := l.counted()
	for _, a := range attempts {
		switch {
		case !a.answered:
		case earliest <= c.asked.to.UnixMilli():
			c.perhaps[a.addr]++
			continue
		case !c.ended.IsZero() && latest >= c.ended.UnixMilli():
			c.latest = append(c.latest, answer{a.addr, earliest, latest})
			continue
		}
		c.foreign.attempt(a)
	}
}

// untilAsked is how many requests of others each server had counted when it was asked, beyond those that had ended before,
// and how many more it may have counted.
func (c *logCount) untilAsked(asked span) (sure, perhaps map[string]int64) {
	sure, perhaps = map[string]int64{}, maps.Clone(c.perhaps)
	for _, a := range c.latest {
		switch {
		case a.latest < asked.from.UnixMilli():
			sure[a.addr]++
		case a.earliest <= asked.to.UnixMilli():
			perhaps[a.addr]++
		}
	}
	return sure, perhaps
}
