package ui

import (
	"bytes"
	"math"
	"strconv"

	"balanceo/loadgen/tally"
)

// request is one line of the access log.
type request struct {
	ended    int64 // when its answer was complete, in Unix milliseconds
	took     int64 // milliseconds from its first byte to the end of its answer
	group    string
	status   int
	run      string // id of the loadgen's run that sent it; empty: somebody else did
	warmup   bool   // before what the run measures
	attempts []attempt
}

// attempt is one server that was tried for a request.
type attempt struct {
	addr     string
	answered bool  // it gave an answer, good or bad
	took     int64 // milliseconds
}

func (r *request) began() int64 { return r.ended - r.took }

// failed tells whether the request had no good answer from a server.
func (r *request) failed() bool { return r.status >= 500 || r.status == 0 }

// last is the server whose answer the client got, nil if no server gave one.
func (r *request) last() *attempt {
	if len(r.attempts) == 0 || !r.attempts[len(r.attempts)-1].answered {
		return nil
	}
	return &r.attempts[len(r.attempts)-1]
}

// reader makes requests of lines. It takes no memory for a line: a busy balancer writes thousands a second.
type reader struct {
	attempts []attempt
	names    map[string]string
}

const mostNames = 1000 // who makes up groups and runs is not remembered

// name is a text that comes again and again.
func (r *reader) name(text []byte) string {
	name, ok := r.names[string(text)]
	if !ok {
		if r.names == nil || len(r.names) >= mostNames {
			r.names = map[string]string{}
		}
		name = string(text)
		r.names[name] = name
	}
	return name
}

// request reads a line of the log as nginx.conf's log_format makes it; false: it is no request for a group of servers.
// Its attempts are good until the next one is read.
func (r *reader) request(line []byte) (request, bool) {
	f := fieldsOf(line)
	msec, err := strconv.ParseFloat(string(f.msec), 64)
	if err != nil || len(f.group) == 0 || len(f.addrs) == 0 || string(f.addrs) == "-" {
		return request{}, false
	}
	q := request{ended: int64(math.Round(msec * 1e3)), took: millis(f.took), group: r.name(f.group)}
	q.status, _ = strconv.Atoi(string(f.status))
	if id, ours := bytes.CutPrefix(f.agent, []byte(tally.Agent)); ours {
		id, q.warmup = bytes.CutSuffix(id, []byte(tally.WarmupSuffix))
		q.run = r.name(id)
	}
	r.attempts = r.attempts[:0]
	for more := true; more; {
		var addr, status, header, took []byte
		addr, f.addrs, more = cut(f.addrs)
		status, f.statuses, _ = cut(f.statuses)
		header, f.headers, _ = cut(f.headers)
		took, f.times, _ = cut(f.times)
		a := attempt{addr: r.name(addr), took: millis(took)}
		if tally.NoneLive(a.addr, q.group) {
			continue
		}
		if len(header) > 0 {
			a.answered = string(header) != "-"
		} else { // without the times nginx's own 502 and 504 look like a server's
			s := string(status)
			a.answered = s != "" && s != "-" && s != "502" && s != "504"
		}
		r.attempts = append(r.attempts, a)
	}
	if len(r.attempts) > 0 {
		q.attempts = r.attempts
	}
	return q, true
}

// fields are those of a line that are needed, as they stand there.
type fields struct{ msec, took, status, group, addrs, statuses, headers, times, agent []byte }

// fieldsOf goes through a line once, which is some ten times as fast as encoding/json. A value that has no end is none.
func fieldsOf(line []byte) (f fields) {
	for {
		_, rest, _ := bytes.Cut(line, []byte(quote))
		key, rest, ok := bytes.Cut(rest, []byte(quote))
		if !ok {
			return f
		}
		value, rest := valueOf(bytes.TrimLeft(rest, ": \t"))
		switch line = rest; string(key) {
		case "msec":
			f.msec = value
		case "request_time":
			f.took = value
		case "status":
			f.status = value
		case "upstream_group":
			f.group = value
		case "upstream_addr":
			f.addrs = value
		case "upstream_status":
			f.statuses = value
		case "upstream_header_time":
			f.headers = value
		case "upstream_response_time":
			f.times = value
		case "user_agent":
			f.agent = value
		}
	}
}

const quote = `"`

// valueOf cuts off the text or number that rest begins with; of a text it leaves the escapes as they are.
func valueOf(rest []byte) (value, after []byte) {
	if !bytes.HasPrefix(rest, []byte(quote)) {
		end := bytes.IndexAny(rest, ",}")
		return bytes.TrimRight(rest[:max(0, end)], " \t"), rest[max(0, end):]
	}
	for end := 1; ; end++ {
		i := bytes.IndexByte(rest[end:], '"')
		if i < 0 {
			return nil, nil
		}
		end += i
		if escapes := end - len(bytes.TrimRight(rest[:end], `\`)); escapes%2 == 0 {
			return rest[1:end], rest[end+1:]
		}
	}
}

// millis reads seconds; what is no number takes no time.
func millis(seconds []byte) int64 {
	s, err := strconv.ParseFloat(string(seconds), 64)
	if err != nil || s < 0 || s > 1e6 {
		return 0
	}
	return int64(math.Round(s * 1e3))
}

// cut takes apart what nginx joins: ", " between servers, " : " between internal redirects.
func cut(list []byte) (first, rest []byte, more bool) {
	for _, separator := range []string{", ", " : "} {
		before, after, found := bytes.Cut(list, []byte(separator))
		if found && (!more || len(before) < len(first)) {
			first, rest, more = before, after, true
		}
	}
	if !more {
		return list, nil, false
	}
	return first, rest, true
}
