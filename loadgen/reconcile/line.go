package reconcile

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"balanceo/loadgen/tally"
)

// line is one request in the access log, in the keys of nginx.conf's log_format.
type line struct {
	Msec        float64 `json:"msec"`         // when the answer was complete, Unix seconds
	RequestTime float64 `json:"request_time"` // seconds since its first byte was read
	UserAgent   *string `json:"user_agent"`   // nil: a format that lacks what is needed here
	Group       string  `json:"upstream_group"`
	Addrs       *string `json:"upstream_addr"` // nil as above
	Statuses    string  `json:"upstream_status"`
	ID          string  `json:"request_id"`           // X-Request-Id: the run, a dash and the number of the hit
	HeaderTimes *string `json:"upstream_header_time"` // "-" for an attempt without an answer
}

// attempt is one server that nginx tried for a request.
type attempt struct {
	addr     string
	answered bool
}

// parse reads a line of the log.
func (s *scanner) parse(text []byte) (line, error) {
	var l line
	if s.scan(text, &l) {
		return l, nil
	}
	l = line{}
	err := json.Unmarshal(text, &l)
	return l, err
}

// lacks names the keys without which a line can't be counted.
func (l *line) lacks() (keys []string) {
	if l.Msec == 0 {
		keys = append(keys, "msec")
	}
	if l.UserAgent == nil {
		keys = append(keys, "user_agent")
	}
	if l.Addrs == nil {
		keys = append(keys, "upstream_addr")
	}
	return keys
}

// began is when the request came in, and ended when its answer was complete.
func (l *line) began() time.Time { return l.ended().Add(-seconds(l.RequestTime)) }
func (l *line) ended() time.Time { return time.UnixMilli(int64(math.Round(l.Msec * 1e3))) }

// answeredAt is when a server counted the request: a websocket is answered when it opens, and logged when it closes.
func (l *line) answeredAt() time.Time {
	if l.upgraded() {
		return l.began()
	}
	return l.ended()
}

// upgraded tells whether the request became a websocket.
func (l *line) upgraded() bool { return l.Statuses == "101" }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// attempts are the servers that were tried, in order. The name of the group, which nginx writes where no
// server of it is live, is none.
func (l *line) attempts() []attempt {
	if l.Addrs == nil || *l.Addrs == "" || *l.Addrs == "-" {
		return nil
	}
	addrs, statuses := list(*l.Addrs), list(l.Statuses)
	var headers []string
	if l.HeaderTimes != nil {
		headers = list(*l.HeaderTimes)
	}
	out := make([]attempt, 0, len(addrs))
	for i, addr := range addrs {
		if tally.NoneLive(addr, l.Group) {
			continue
		}
		a := attempt{addr: addr}
		switch {
		case i < len(headers):
			a.answered = headers[i] != "-" && headers[i] != ""
		case i < len(statuses): // without the times: nginx's own 502 and 504 look like a server's
			a.answered = statuses[i] != "-" && statuses[i] != "" && statuses[i] != "502" && statuses[i] != "504"
		}
		out = append(out, a)
	}
	return out
}

// number is that of the hit; false: the line does not tell.
func (l *line) number() (uint64, bool) {
	n, err := strconv.ParseUint(l.ID[strings.LastIndexByte(l.ID, '-')+1:], 10, 64)
	return n, err == nil
}

// list takes apart what nginx joins: ", " between servers, " : " between internal redirects.
func list(text string) []string {
	if !strings.Contains(text, ", ") && !strings.Contains(text, " : ") {
		return []string{text}
	}
	return strings.Split(strings.ReplaceAll(text, " : ", ", "), ", ")
}
