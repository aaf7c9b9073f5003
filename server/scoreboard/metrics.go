package scoreboard

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// ContentType is the one of the Prometheus text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Count counts a request that was answered.
func (s *Slot) Count(path, requestMethod []byte, status int) {
	l := &s.board.labels
	atomic.AddUint64(&s.words[l.counter(l.route(path), method(requestMethod), status)], 1)
}

// CountOther counts an answer to what could not be read as a request.
func (s *Slot) CountOther(status int) {
	l := &s.board.labels
	atomic.AddUint64(&s.words[l.counter(len(l.routes)-1, methodCount-1, status)], 1)
}

// AddDraws counts numbers that were drawn.
func (s *Slot) AddDraws(n int64) { atomic.AddUint64(&s.words[wordDraws], uint64(n)) }

// AddOpen adds n, which may be negative, to the open connections.
func (s *Slot) AddOpen(n int64) { atomic.AddUint64(&s.words[wordOpen], uint64(n)) }

// Counting counts every request that next has answered, and answers /metrics itself. more, if it is not nil,
// appends metrics that are not the scoreboard's.
func (s *Slot) Counting(next fasthttp.RequestHandler, more func([]byte) []byte) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == RouteMetrics && ctx.IsGet() {
			ctx.SetContentType(ContentType)
			ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
			body := s.AppendMetrics(nil)
			if more != nil {
				body = more(body)
			}
			ctx.Response.SetBodyRaw(body)
		} else {
			next(ctx)
		}
		s.Count(ctx.Path(), ctx.Method(), ctx.Response.StatusCode())
	}
}

// worker is what one slot says.
type worker struct {
	pid      uint64
	started  uint64
	requests uint64
	alive    bool
}

// AppendMetrics appends the counters of the whole instance in the Prometheus text format.
func (s *Slot) AppendMetrics(b []byte) []byte {
	board := s.board
	var (
		totals        = make([]uint64, board.labels.counters())
		workers       []worker
		draws, open   uint64
		living        int
		earliestStart = s.words.load(wordStarted)
	)
	for i := range board.used() {
		words := board.slot(i)
		w := worker{pid: words.load(wordPID), started: words.load(wordStarted)}
		for j := range totals {
			n := words.load(wordCounters + j)
			totals[j] += n
			w.requests += n
		}
		draws += words.load(wordDraws)
		if i > 0 && board.alive(i, s) {
			w.alive = true
			living++
			open += words.load(wordOpen)
			earliestStart = min(earliestStart, words.load(wordStarted))
		}
		if i > 0 || w.requests > 0 {
			workers = append(workers, w)
		}
	}
	b = appendHead(b, "balanceo_requests_total", "counter", "Requests answered, by route, method and class of status code.")
	b = board.labels.appendRequests(b, totals)
	b = appendHead(b, "balanceo_worker_requests_total", "counter",
		"Requests answered, by worker process, dead ones included; pid 0 stands for those that ended long ago.")
	workers = merged(workers)
	for _, w := range workers {
		b = fmt.Appendf(b, "balanceo_worker_requests_total{pid=\"%d\"} %d\n", w.pid, w.requests)
	}
	b = appendHead(b, "balanceo_worker_start_time_seconds", "gauge",
		"Start of each worker process in Unix time; of several that had one pid, of the last.")
	for _, w := range workers {
		if w.pid != 0 {
			b = append(fmt.Appendf(b, "balanceo_worker_start_time_seconds{pid=\"%d\"} ", w.pid), unixSeconds(w.started)...)
		}
	}
	b = appendHead(b, "balanceo_worker_up", "gauge", "Whether the worker process is alive.")
	for _, w := range workers {
		if w.pid != 0 {
			b = fmt.Appendf(b, "balanceo_worker_up{pid=\"%d\"} %d\n", w.pid, number(w.alive))
		}
	}
	b = appendHead(b, "balanceo_scoreboard_shared", "gauge", "Whether all workers are counted, or only the one that answers.")
	b = fmt.Appendf(b, "balanceo_scoreboard_shared %d\n", number(board.shared))
	b = appendHead(b, "balanceo_draws_total", "counter", "Random numbers drawn.")
	b = fmt.Appendf(b, "balanceo_draws_total %d\n", draws)
	b = appendHead(b, "balanceo_open_connections", "gauge", "Connections open now.")
	b = fmt.Appendf(b, "balanceo_open_connections %d\n", int64(open))
	b = appendHead(b, "balanceo_workers", "gauge", "Worker processes alive now.")
	b = fmt.Appendf(b, "balanceo_workers %d\n", living)
	b = appendHead(b, "balanceo_process_start_time_seconds", "gauge", "Start of the oldest worker alive, in Unix time.")
	return append(append(b, "balanceo_process_start_time_seconds "...), unixSeconds(earliestStart)...)
}

// unixSeconds is a time in nanoseconds as Prometheus writes it, with the end of the line.
func unixSeconds(ns uint64) string { return strconv.FormatFloat(float64(ns)/1e9, 'f', 3, 64) + "\n" }

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// merged puts the workers together that had the same pid, one after the other.
func merged(workers []worker) (merged []worker) {
	at := map[uint64]int{}
	for _, w := range workers {
		if i, ok := at[w.pid]; ok {
			merged[i].requests += w.requests
			merged[i].started = max(merged[i].started, w.started)
			merged[i].alive = merged[i].alive || w.alive
			continue
		}
		at[w.pid] = len(merged)
		merged = append(merged, w)
	}
	return merged
}

func appendHead(b []byte, name, kind, help string) []byte {
	return fmt.Appendf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// appendRequests appends the counters that are not zero.
func (l *labels) appendRequests(b []byte, totals []uint64) []byte {
	for r, route := range l.routes {
		for m, method := range methodNames() {
			for c, code := range codeNames() {
				if n := totals[(r*methodCount+m)*codeCount+c]; n > 0 {
					b = fmt.Appendf(b, "balanceo_requests_total{route=%q,method=%q,code=%q} %d\n", route, method, code, n)
				}
			}
		}
	}
	return b
}

// Requests is how many requests the whole instance has answered, but for those of who watches it.
func (b *Board) Requests() int64 {
	var sum uint64
	for i := range slotCount {
		words := b.slot(i)
		if i > 0 && words.load(wordPID) == 0 {
			continue
		}
		for route, name := range b.labels.routes {
			if name == RouteMetrics || name == RouteHealth {
				continue
			}
			for counter := range methodCount * codeCount {
				sum += words.load(wordCounters + route*methodCount*codeCount + counter)
			}
		}
	}
	return int64(sum)
}
