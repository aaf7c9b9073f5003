package attack

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"balanceo/loadgen/tally"
	"balanceo/topology/layout"
)

// shard is one vegeta attacker with its own pacer, connections and sink. With S shards, shard i sends the
// hits i, i+S, i+2S, …
type shard struct {
	*attack
	index, shards uint64
	width         uint64 // requests that a worker without a pace has under way at once
	attacker      *vegeta.Attacker
	sleeper       *sleeper
	stopped       chan struct{}
	once          sync.Once

	mu     sync.Mutex
	idle   []*lane // the one used last is taken first, so that no more connections are open than needed
	lanes  []*lane // all there are
	sink   Sink
	known  tally.Interner
	resent int64
	late   int64

	lastSent time.Duration
}

// firstWorkers is how many workers start at once; vegeta adds one whenever all are busy.
const firstWorkers = 8

func newShard(a *attack, index int) (*shard, error) {
	sleeper, err := newSleeper()
	if err != nil {
		return nil, err
	}
	s := &shard{
		attack: a, index: uint64(index), shards: uint64(len(a.cfg.Sinks)),
		sleeper: sleeper, stopped: make(chan struct{}), sink: a.cfg.Sinks[index],
	}
	workers := max(1, uint64((a.cfg.Workers+index)/len(a.cfg.Sinks)))
	if !a.cfg.Schedule.Paced() {
		s.width = min(abreast, workers)
		workers /= s.width
	}
	s.attacker = vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: s}),
		vegeta.Workers(min(workers, firstWorkers)),
		vegeta.MaxWorkers(workers),
	)
	return s, nil
}

// run attacks and returns when the last request has ended. What vegeta makes of the hits is not looked at:
// they were counted where they were sent.
func (s *shard) run() {
	for range s.attacker.Attack(target, s, 0, "") {
	}
}

// target is all that vegeta needs to know: RoundTrip takes the request from the schedule.
func target(t *vegeta.Target) error {
	t.Method, t.URL = http.MethodGet, "/"
	return nil
}

// stop ends the sending; requests under way go on.
func (s *shard) stop() {
	s.once.Do(func() {
		close(s.stopped)
		s.sleeper.stop()
		s.attacker.Stop()
	})
}

func (s *shard) isStopped() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// close is called when no request is under way any more.
func (s *shard) close() {
	for _, l := range s.lanes {
		l.disconnect()
	}
	s.sleeper.close()
}

// cut breaks off what began at or before that time.
func (s *shard) cut(latest time.Duration) {
	s.mu.Lock()
	lanes := s.lanes[:len(s.lanes):len(s.lanes)]
	s.mu.Unlock()
	for _, l := range lanes {
		l.cut(latest)
	}
}

// Pace implements vegeta.Pacer: it returns when the shard's hit of that number is due. It waits itself,
// because vegeta would do it with time.Sleep.
func (s *shard) Pace(_ time.Duration, hits uint64) (wait time.Duration, stop bool) {
	schedule := &s.cfg.Schedule
	n := s.index + hits*s.shards
	if n >= schedule.Hits() {
		return 0, true
	}
	now := s.now()
	if now > schedule.End()+lateGrace || (!schedule.Paced() && now >= schedule.End()) {
		return 0, true
	}
	if s.isStopped() {
		return 0, true
	}
	if wait := schedule.Due(n) - now; wait > 0 && !s.sleeper.sleep(wait) {
		return 0, true
	}
	return 0, false
}

// Rate implements vegeta.Pacer; nothing here asks for it.
func (s *shard) Rate(time.Duration) float64 { return s.cfg.Schedule.Rate() / float64(s.shards) }

// answered is what vegeta's client gets for every hit, whatever came of it.
func answered() *http.Response { return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody} }

// Where there is no pace to keep, a worker sends abreast requests at once, each on a connection of its own, and
// burst of them for one hit of vegeta's. Handing a hit to a worker takes two switches of goroutines, and so
// does waiting for an answer; while a worker waits for the first of its answers, the others arrive.
const (
	abreast = 8
	burst   = 4 * abreast
)

// RoundTrip implements http.RoundTripper: it sends the hit whose number vegeta put into the request, and
// counts it.
func (s *shard) RoundTrip(r *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(r.Header.Get("X-Vegeta-Seq"), 10, 64)
	if err != nil {
		return nil, err
	}
	schedule := &s.cfg.Schedule
	if !schedule.Paced() {
		s.burst(seq * burst)
		return answered(), nil
	}
	l := s.take()
	defer s.give(l)
	n := s.index + seq*s.shards
	s.post(l, tally.Hit{Route: s.cfg.At(n), Due: schedule.Due(n), Sent: s.now()})
	s.collect(l)
	return answered(), nil
}

// burst sends the hits from first on. Shards go at their own speeds, so each has to send the whole mix: hits
// are numbered within the shard.
func (s *shard) burst(first uint64) {
	var lanes [abreast]*lane
	side := lanes[:s.width]
	for i := range side {
		side[i] = s.take()
		defer s.give(side[i])
	}
	for n := first; n < first+burst; {
		under := 0
		for ; under < len(side) && n < first+burst; under++ {
			now := s.now()
			if now >= s.cfg.Schedule.End() || s.isStopped() {
				break
			}
			s.post(side[under], tally.Hit{Route: s.cfg.At(n), Due: now, Sent: now})
			n++
		}
		for _, l := range side[:under] {
			s.collect(l)
		}
		if under == 0 {
			return
		}
	}
}

// post sends the request of a hit. The Hit lies in the lane, as it would be allocated each time else.
func (s *shard) post(l *lane, what tally.Hit) {
	l.hit = what
	w := &s.requests[what.Route]
	l.posted = posted{wire: w, bytes: w.measured, kept: l.conn != nil}
	if what.Due < s.cfg.Schedule.Warmup {
		l.posted.bytes = w.warmup
	}
	l.begin(what.Sent)
	l.posted.err = s.write(l)
}

// write sends what is posted, over a new connection if there is none.
func (s *shard) write(l *lane) error {
	if l.conn == nil {
		if err := l.connect(s.abort, s.dial); err != nil {
			return err
		}
	}
	_, err := l.conn.Write(l.posted.bytes)
	return err
}

// collect waits for the answer to what was posted and counts the hit.
func (s *shard) collect(l *lane) {
	hit := &l.hit
	reply, err := s.answer(l)
	hit.Done = s.now()
	cut := l.end(hit.Sent, reply.keep)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent += int64(reply.resent)
	s.lastSent = max(s.lastSent, hit.Sent)
	if hit.Sent > s.cfg.Schedule.End()+onTime {
		s.late++
	}
	if err == nil {
		s.read(hit, l)
		hit.BytesIn = reply.body
		if hit.Err == "" {
			hit.Draws = l.posted.wire.draws
		}
	} else {
		hit.Err = s.failure(err, cut)
	}
	s.sink.Add(hit)
}

// answer reads the answer to what was posted. A connection that was kept may have been closed by the server
// in the meantime, which shows only when it is used: then, as every HTTP client does (RFC 9112, section
// 9.3.1), a request that may be repeated is sent again, once, on a new connection.
func (s *shard) answer(l *lane) (r reply, err error) {
	p := &l.posted
	if err = p.err; err == nil {
		r, err = l.receive(p.wire.head)
	}
	if err == nil || !p.kept || !p.wire.repeatable || r.some || !closed(err) || l.since.Load() == cutting {
		return r, err
	}
	l.disconnect()
	if err = s.write(l); err == nil {
		r, err = l.receive(p.wire.head)
	}
	r.resent = 1
	return r, err
}

// failure is the class of err; cut tells whether the request was broken off by cut.
func (s *shard) failure(err error, cut bool) string {
	class := Class(err)
	switch {
	case s.abort.Err() != nil && (cut || errors.Is(err, context.Canceled)):
		return Interrupted
	case cut && Reached(class):
		return Timeout
	}
	return class
}

// read fills in what the answer's header tells.
func (s *shard) read(hit *tally.Hit, l *lane) {
	h := &l.resp.Header
	hit.Status = h.StatusCode()
	hit.Err = statusClass(hit.Status)
	hit.Group = s.known.String(h.Peek(layout.HeaderUpstreamGroup))
	hit.Tried = s.known.String(h.Peek(layout.HeaderUpstream))
	hit.Worker = s.known.String(h.Peek(layout.HeaderWorker))
	hit.Name = s.known.String(h.Peek(layout.HeaderInstance))
}

// take returns an idle lane, or a new one.
func (s *shard) take() *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.idle) - 1; last >= 0 {
		l := s.idle[last]
		s.idle = s.idle[:last]
		return l
	}
	l := &lane{}
	s.lanes = append(s.lanes, l)
	return l
}

// give makes l idle.
func (s *shard) give(l *lane) {
	l.idleSince = s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, l)
}

// keepIdle is how long a connection is kept that a short burst needed and nothing since.
const keepIdle = 15 * time.Second

// trim closes the lanes that have been idle for longer than keepIdle: those at the bottom of the pile.
func (s *shard) trim() {
	s.mu.Lock()
	n := 0
	for n < len(s.idle) && s.now()-s.idle[n].idleSince > keepIdle {
		n++
	}
	old := slices.Clone(s.idle[:n])
	s.idle = slices.Delete(s.idle, 0, n)
	s.lanes = slices.DeleteFunc(slices.Clone(s.lanes), func(l *lane) bool { return slices.Contains(old, l) })
	s.mu.Unlock()
	for _, l := range old {
		l.disconnect()
	}
}

// closed tells whether an error is that of a connection that the other side had closed.
func closed(err error) bool {
	class := Class(err)
	return class == EOF || class == Reset
}
