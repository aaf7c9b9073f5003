package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"balanceo/loadgen/tally"
	"balanceo/topology/layout"
)

// attacker is the engine "vegeta": vegeta's Attacker with its Targeter, its Pacer and its Results. Each hit is
// counted from when it was due, as those of the other engine are.
type attacker struct {
	*attack
	sink    Sink
	known   tally.Interner
	client  *http.Transport
	sleeper *sleeper
	targets []vegeta.Target
	next    atomic.Uint64 // hits taken so far
	warming atomic.Uint64 // without a pace: the first so many hits are those of the warm-up
	under   atomic.Int64  // requests under way
	freed   atomic.Int64  // when one ended while all workers were busy
	mu      sync.Mutex    // of all below
	pauses  pauses
	flights map[uint64]*flight
}

func (a *attack) runVegeta() error {
	sleeper, err := newSleeper()
	if err != nil {
		return err
	}
	defer sleeper.close()
	v := &attacker{attack: a, sink: a.cfg.Sink(), sleeper: sleeper, flights: map[uint64]*flight{}}
	for _, r := range a.cfg.Requests {
		t := r.At(a.cfg.Target)
		v.targets = append(v.targets, t)
	}
	v.client = a.cfg.transport()
	defer v.client.CloseIdleConnections()
	workers := uint64(max(a.cfg.Workers, 1))
	first := workers
	if a.cfg.Schedule.Paced() { // vegeta adds one whenever all are busy
		first = min(workers, firstWorkers)
	}
	kept := int64(0) // of each body, which vegeta else holds in memory as a whole
	if a.cfg.wantsText() {
		kept = maxText
	}
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: v, CheckRedirect: a.cfg.Client.redirects}),
		vegeta.Workers(first), vegeta.MaxWorkers(workers), vegeta.MaxBody(kept),
	)
	a.start()
	for r := range attacker.Attack(v.target, v, 0, "") {
		if r.Headers != nil {
			v.result(r)
		}
	}
	a.out.Grid = slack(func(d time.Duration) { sleeper.sleep(d) })
	for _, f := range v.flights { // what the client did not even try to send
		f.err = errors.New("not sent")
		v.result(&vegeta.Result{Timestamp: v.zero.Add(f.sent), Headers: http.Header{HeaderRequestID: {strconv.FormatUint(f.number, 10)}}})
	}
	return nil
}

// firstWorkers is how many workers of an attack at a pace start at once.
const firstWorkers = 8

// transport is the client's way to the target.
func (c *Config) transport() *http.Transport {
	secure := c.Client.TLS
	if secure == nil {
		secure = &tls.Config{}
	}
	var opened atomic.Uint64
	out := &http.Transport{
		TLSClientConfig: secure.Clone(), ForceAttemptHTTP2: c.Client.HTTP2, DisableKeepAlives: c.NoKeepAlive, DisableCompression: true,
		MaxIdleConnsPerHost: c.Workers, IdleConnTimeout: keepIdle,
		TLSHandshakeTimeout: c.Timeout + time.Second, // a connection outlives the request that it was made for
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if other, ok := c.Client.Resolve[addr]; ok {
				addr = other
			}
			if c.Client.UnixSocket != "" {
				network, addr = "unix", c.Client.UnixSocket
			}
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, dialError{err}
			}
			return &numbered{conn, opened.Add(1)}, nil
		},
	}
	if c.InTurn || !c.Client.HTTP2 {
		out.MaxConnsPerHost = c.Workers
	}
	if c.Client.Proxy != nil {
		out.Proxy = http.ProxyURL(c.Client.Proxy)
	}
	return out
}

// Pace implements vegeta.Pacer: it returns when the hit of that number is due. It waits itself, because vegeta would
// do it with time.Sleep, which is served by a poller that counts in milliseconds.
func (v *attacker) Pace(_ time.Duration, n uint64) (wait time.Duration, stop bool) {
	s := &v.cfg.Schedule
	now := v.now()
	if n >= s.Hits() || v.stopped.Load() || now > s.End()+lateGrace || !s.Paced() && now >= s.End() || !v.claim(now) {
		return 0, true
	}
	if !s.Paced() && now < s.Warmup {
		v.warming.Store(n + 1)
	}
	for due := s.Due(n); due > now; {
		d := min(due-now, longestSleep)
		if v.next.Load() == n { // all that was due is sent
			v.mu.Lock()
			v.pauses.caughtUp()
			v.mu.Unlock()
		}
		if v.stopped.Load() || !v.sleeper.sleep(d) {
			return 0, true
		}
		until := now + d
		now = v.now()
		v.mu.Lock()
		v.pauses.note(now-until, now)
		v.mu.Unlock()
	}
	return 0, false
}

// longestSleep bounds how long the pacer does not look whether the attack was ended.
const longestSleep = 10 * time.Millisecond

// Rate implements vegeta.Pacer; nothing here asks for it.
func (v *attacker) Rate(time.Duration) float64 { return v.cfg.Schedule.Rate() }

// target is a vegeta.Targeter: it says what the next hit is. The hit's number goes with it as its X-Request-Id.
func (v *attacker) target(t *vegeta.Target) error {
	s := &v.cfg.Schedule
	n := v.next.Add(1) - 1
	f := &flight{number: s.Number(n), sent: v.now(), due: s.Due(n)}
	f.route = v.cfg.At(f.number)
	if !s.Paced() { // Pace has decided in which part it is
		f.due = max(f.sent, s.Warmup)
		if n < v.warming.Load() {
			f.due = min(f.sent, s.Warmup-1)
		}
	}
	v.under.Add(1)
	*t = v.targets[f.route]
	header := t.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("User-Agent") == "" {
		agent := v.cfg.UserAgent
		if f.due < s.Warmup {
			agent += tally.WarmupSuffix
		}
		header.Set("User-Agent", agent)
	}
	header.Set(HeaderRequestID, v.cfg.RequestID+"-"+strconv.FormatUint(f.number, 10))
	t.Header = header
	v.mu.Lock()
	f.delay = v.pauses.send(f.due, f.sent, time.Duration(v.freed.Load()))
	v.flights[f.number] = f
	v.mu.Unlock()
	return nil
}

// result counts what vegeta made of a hit.
func (v *attacker) result(r *vegeta.Result) {
	n := numberOf(r.Headers)
	v.mu.Lock()
	f := v.flights[n]
	delete(v.flights, n)
	v.pauses.done(f.delay)
	mixed := f.delay.mixed || v.pauses.last > f.sent
	v.mu.Unlock()
	done := r.Timestamp.Add(r.Latency).Sub(v.zero)
	if v.under.Add(-1) == int64(v.cfg.Workers)-1 {
		v.freed.Store(int64(done))
	}
	h := &tally.Hit{
		Number: f.number, Conn: f.conn, Route: f.route, Due: f.due, Sent: f.sent, Done: done, Lag: f.delay.lag, Again: f.again, Mixed: mixed, Connect: f.connect,
		FirstByte: time.Duration(f.first.Load()), BytesIn: f.bytes, BytesOut: int64(r.BytesOut),
	}
	if f.err != nil {
		h.Err = classify(f.err)
	} else {
		h.Status = int(r.Code)
		h.Err = v.cfg.Expect.class(h.Status, r.Body)
		group, tried := v.cfg.By.get(r.Headers, r.Body)
		h.Group, h.Tried = v.known.String(group), v.known.String(tried)
		h.Worker, h.Name = v.known.String([]byte(r.Headers.Get(layout.HeaderWorker))), v.known.String([]byte(r.Headers.Get(layout.HeaderInstance)))
		if h.Err == tally.NoError {
			h.Draws = v.cfg.Requests[h.Route].Draws
		}
	}
	v.out.LastSent = max(v.out.LastSent, h.Sent)
	if h.Sent > v.cfg.Schedule.End()+onTime {
		v.out.Late++
	}
	v.count(v.sink, h)
}
