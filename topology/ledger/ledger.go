// Package ledger keeps what the parts of a layout leave behind where they come and go, as pods do: how many requests
// each server has counted, and the lines of the balancer's access log. Whoever measures reads both from one place, and
// parts of a load meet there to begin and to end together.
//
//	ledger.go  what is kept, and the service
//	counts.go  a server tells what it has counted, in time and at its end
//	ship.go    the balancer's side: its access log is passed on as it grows
//	read.go    the side of whoever measures
//	meet.go    parts of a load wait for each other
//	clock.go   how far their clocks are from the ledger's
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Paths of the service, below its address.
const (
	PathCounts = "/counts/" // INSTANCE/PROCESS
	PathLog    = "/log/"    // SOURCE
	pathMeet   = "/meet/"   // NAME
	pathClock  = "/clock"
	PathHealth = "/healthz"
)

// chunk is how much of the log is passed on at once.
const chunk = 1 << 20

// Process is a server that has told what it counted.
type Process struct {
	Requests int64     `json:"requests"` // since its start, by all of its processes
	Ended    bool      `json:"ended,omitempty"`
	Heard    time.Time `json:"heard"` // when it told last
}

// Counts are what the servers have told, by instance and process.
type Counts struct {
	Epoch     string                        `json:"epoch"` // changes when the ledger begins anew
	Now       time.Time                     `json:"now"`
	Instances map[string]map[string]Process `json:"instances"`
}

// silence is how long nothing is heard of a process that must be gone.
const silence = 4 * time.Second

// Alive tells whether a process has told lately that it is there.
func (c *Counts) Alive(p Process) bool { return !p.Ended && c.Now.Sub(p.Heard) < silence }

// Ledger is the service. Its methods may be called from any goroutine.
type Ledger struct {
	epoch  string
	log    *Log
	mu     sync.Mutex // of all below
	counts map[string]map[string]Process
	places map[string]*place
}

// New makes a ledger that keeps the lines of access logs in log.
func New(log *Log) *Ledger {
	return &Ledger{
		epoch: strconv.FormatInt(time.Now().UnixNano(), 36), log: log,
		counts: map[string]map[string]Process{}, places: map[string]*place{},
	}
}

// Handler answers for it.
func (l *Ledger) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathHealth, func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("PUT "+PathCounts+"{instance}/{process}", l.putCount)
	mux.HandleFunc("GET "+PathCounts, l.getCounts)
	mux.HandleFunc("POST "+PathLog+"{source}", l.postLog)
	mux.HandleFunc("GET "+PathLog, l.getLog)
	mux.HandleFunc("GET "+pathMeet+"{name}", l.meet)
	mux.HandleFunc("GET "+pathClock, func(w http.ResponseWriter, _ *http.Request) { writeTime(w, time.Now()) })
	return mux
}

// putCount takes down what a server has counted. Counts only grow, whatever overtakes what.
func (l *Ledger) putCount(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, 64))
	n, parseErr := strconv.ParseInt(string(text), 10, 64)
	if err = errors.Join(err, parseErr); err != nil || n < 0 {
		http.Error(w, "want a count", http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	instance := l.counts[r.PathValue("instance")]
	if instance == nil {
		instance = map[string]Process{}
		l.counts[r.PathValue("instance")] = instance
	}
	p := instance[r.PathValue("process")]
	p.Requests, p.Heard = max(p.Requests, n), time.Now()
	p.Ended = r.URL.Query().Has(ended)
	instance[r.PathValue("process")] = p
}

func (l *Ledger) getCounts(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	text, err := json.Marshal(Counts{l.epoch, time.Now(), l.counts})
	l.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

// headers of what concerns the log.
const (
	headerNext  = "Ledger-Next"  // offset after what was sent or taken
	headerEpoch = "Ledger-Epoch" // changes when the ledger begins anew
)

// postLog takes lines of a source that begin there at an offset; what it has already is passed over.
func (l *Ledger) postLog(w http.ResponseWriter, r *http.Request) {
	at, err := strconv.ParseInt(r.URL.Query().Get("at"), 10, 64)
	if err != nil || at < 0 {
		http.Error(w, "want an offset: at=N", http.StatusBadRequest)
		return
	}
	lines, err := io.ReadAll(http.MaxBytesReader(w, r.Body, chunk))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	next, err := l.log.add(r.PathValue("source"), at, lines)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(headerNext, strconv.FormatInt(next, 10))
}

// getLog sends what has been written since from, or without it only says where the log ends.
func (l *Ledger) getLog(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(headerEpoch, l.epoch)
	from, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		w.Header().Set(headerNext, strconv.FormatInt(l.log.end(), 10))
		return
	}
	part, err := l.log.since(from)
	if err != nil {
		http.Error(w, err.Error(), http.StatusGone)
		return
	}
	w.Header().Set(headerNext, strconv.FormatInt(from+int64(len(part)), 10))
	_, _ = w.Write(part)
}

// statusError is the error of an answer that is none; its body says why.
func statusError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	return fmt.Errorf("%s %s: %s: %s", resp.Request.Method, resp.Request.URL, resp.Status, text)
}
