package ui

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"balanceo/loadgen/reconcile"
	"balanceo/loadgen/tally"
)

// agentOf is what the user agent of a loadgen begins with, before the id of its run.
const agentOf = "loadgen/"

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

// parse reads a line of the log as nginx.conf's log_format makes it; false: it is no request for a group of servers. It
// takes the values that it needs and passes over the rest, which is some ten times as fast as encoding/json: in an
// escaped text no quote stands before a key.
func parse(line []byte) (request, bool) {
	r := request{group: text(line, `"upstream_group":"`)}
	msec, err := strconv.ParseFloat(number(line, `"msec":`), 64)
	addrs := text(line, `"upstream_addr":"`)
	if err != nil || r.group == "" || addrs == "" || addrs == "-" {
		return request{}, false
	}
	r.ended = int64(math.Round(msec * 1e3))
	r.took = millis(number(line, `"request_time":`))
	r.status, _ = strconv.Atoi(number(line, `"status":`))
	if id, ours := strings.CutPrefix(text(line, `"user_agent":"`), agentOf); ours {
		r.run, r.warmup = strings.CutSuffix(id, reconcile.WarmupSuffix)
	}
	statuses, headers, times := list(text(line, `"upstream_status":"`)), list(text(line, `"upstream_header_time":"`)), list(text(line, `"upstream_response_time":"`))
	for i, addr := range list(addrs) {
		if tally.NoneLive(addr, r.group) {
			continue
		}
		a := attempt{addr: addr, took: millis(at(times, i))}
		switch {
		case at(headers, i) != "":
			a.answered = at(headers, i) != "-"
		default: // without the times nginx's own 502 and 504 look like a server's
			status := at(statuses, i)
			a.answered = status != "" && status != "-" && status != "502" && status != "504"
		}
		r.attempts = append(r.attempts, a)
	}
	return r, true
}

func text(line []byte, key string) string {
	_, rest, ok := bytes.Cut(line, []byte(key))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return ""
	}
	return string(rest[:end])
}

func number(line []byte, key string) string {
	_, rest, ok := bytes.Cut(line, []byte(key))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return ""
	}
	return string(rest[:end])
}

// millis reads seconds; what is no number takes no time.
func millis(seconds string) int64 {
	s, err := strconv.ParseFloat(seconds, 64)
	if err != nil || s < 0 || s > 1e6 {
		return 0
	}
	return int64(math.Round(s * 1e3))
}

// list takes apart what nginx joins: ", " between servers, " : " between internal redirects.
func list(joined string) []string {
	if joined == "" {
		return nil
	}
	if strings.Contains(joined, " : ") {
		joined = strings.ReplaceAll(joined, " : ", ", ")
	}
	return strings.Split(joined, ", ")
}

func at(texts []string, i int) string {
	if i < len(texts) {
		return texts[i]
	}
	return ""
}
