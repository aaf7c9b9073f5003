package attack

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"balanceo/loadgen/tally"
	"balanceo/topology/layout"
)

// fastHere tells that the engine "fast" is to be had on this system.
const fastHere = true

// loop is the engine "fast": one thread that sends what is due over its connections and reads what comes back,
// by epoll. With S loops, loop i sends the hits i, i+S, i+2S, …
type loop struct {
	*attack
	index, shards uint64
	poll          int // descriptor of epoll
	sink          Sink
	known         tally.Interner
	addrs         []unix.Sockaddr
	unresolved    error // why there are no addresses
	good          int   // index of the address that took a connection last
	buffer        []byte

	conns    []*conn
	idle     []*conn // the one used last is taken first, so that no more are open than needed; or in turn
	most     int     // connections
	next     uint64  // hits taken so far
	dueOf    uint64  // the hit that is due next, and when
	due      time.Duration
	under    int           // requests under way
	opened   uint64        // connections so far
	freed    time.Duration // when a connection came free after all had been busy
	absent   time.Duration // for how long the loop may not have looked before it read what it reads now
	pauses   pauses
	resent   int64
	unasked  int64
	late     int64
	lastSent time.Duration
}

// runFast attacks with so many loops.
func (a *attack) runFast(abort context.Context, shards int) error {
	loops := make([]*loop, shards)
	ips, port, unresolved := a.lookup(abort)
	for i := range loops {
		poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return fmt.Errorf("create epoll: %w", err)
		}
		loops[i] = &loop{
			attack: a, index: uint64(i), shards: uint64(shards), poll: poll, sink: a.cfg.Sink(), buffer: make([]byte, 64<<10),
			most: max(1, (a.cfg.Workers+i)/shards), addrs: a.sockaddrs(ips, port), unresolved: unresolved,
			dueOf: none,
		}
		defer loops[i].close()
	}
	a.start()
	done := make(chan struct{}, shards)
	for _, l := range loops {
		go func() {
			runtime.LockOSThread() // which ends with the goroutine, and with it how its timers are set
			l.run()
			done <- struct{}{}
		}()
	}
	for range loops {
		<-done
	}
	for _, l := range loops {
		a.out.Resent += l.resent
		a.out.Unasked += l.unasked
		a.out.Late += l.late
		a.out.LastSent = max(a.out.LastSent, l.lastSent)
	}
	event := make([]unix.EpollEvent, 1)
	a.out.Grid = slack(func(d time.Duration) { epollWait(loops[0].poll, event, d) })
	return nil
}

func (l *loop) close() {
	for _, c := range l.conns {
		l.disconnect(c)
	}
	_ = unix.Close(l.poll)
}

// run sends and receives until nothing is to be sent any more and every request has ended.
func (l *loop) run() {
	// Timers fire up to 50 µs late so that several of them wake the machine once; here each is for one hit.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	events := make([]unix.EpollEvent, 256)
	looked, tick := l.now(), time.Duration(0)
	for {
		wait, more := l.send()
		if !more && l.under == 0 {
			return
		}
		asked := l.now()
		wait = min(wait, longestWait)
		n := epollWait(l.poll, events, wait)
		woken := l.now()
		l.absent = asked - looked + max(0, woken-asked-wait)
		if n > 0 || l.free() { // else there was nothing to do
			l.pauses.note(l.absent, woken)
		}
		looked = woken
		for _, e := range events[:n] {
			l.ready(l.conns[e.Fd], e.Events)
		}
		if woken >= tick {
			tick = woken + min(max(l.cfg.Timeout/20, 5*time.Millisecond), 250*time.Millisecond)
			l.cut(woken)
		}
	}
}

// longestWait bounds how long a loop does not look whether the attack was ended.
const longestWait = 10 * time.Millisecond

// epollWait waits without telling Go's scheduler: handing the processor over and taking it back for each of the
// short waits would cost twice as much as sending a request. The scheduler has a thread more than there are loops
// (see tune), and where it has to stop them all, its signal ends the wait.
func epollWait(poll int, events []unix.EpollEvent, d time.Duration) int {
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return int(n)
	case unix.ENOSYS: // before Linux 5.11; what is left of a millisecond is waited for awake
		old, _ := unix.EpollWait(poll, events, int(d/time.Millisecond))
		return max(old, 0)
	}
	return 0
}

// send sends what is due. It returns for how long there is nothing to send, and whether there will be anything.
func (l *loop) send() (wait time.Duration, more bool) {
	s := &l.cfg.Schedule
	for {
		now := l.now()
		n := l.index + l.next*l.shards
		if n >= s.Hits() || l.stopped.Load() || now > s.End()+lateGrace || !s.Paced() && now >= s.End() {
			return longestWait, false
		}
		due := now
		if s.Paced() {
			if n != l.dueOf {
				l.dueOf, l.due = n, s.Due(n)
			}
			if due = l.due; due > now {
				l.pauses.caughtUp()
				return due - now, true
			}
		}
		if !l.free() {
			return longestWait, true
		}
		if !l.claim(now) {
			return longestWait, false
		}
		route := n
		if !s.Paced() {
			route = l.next // loops go at their own speeds, so each has to send the whole mix
		}
		l.next++
		l.under++
		l.lastSent = now
		if now > s.End()+onTime {
			l.late++
		}
		c := l.take()
		c.delay = l.pauses.send(due, now, l.freed)
		c.hit = tally.Hit{Number: s.Number(n), Route: l.cfg.At(s.Number(route)), Due: due, Sent: now, Lag: c.delay.lag, Mixed: c.delay.mixed}
		l.post(c)
	}
}

// free tells whether there is a connection for a request.
func (l *loop) free() bool { return len(l.idle) > 0 || len(l.conns) < l.most }

// take returns a connection for the next request: one that is idle, or a new one where there may be more.
func (l *loop) take() *conn {
	if n := len(l.idle); n > 0 && (!l.cfg.InTurn || len(l.conns) == l.most) {
		c := l.idle[n-1]
		if l.cfg.InTurn {
			c = l.idle[0]
			copy(l.idle, l.idle[1:])
		}
		l.idle = l.idle[:n-1]
		return c
	}
	c := &conn{fd: -1, place: len(l.conns)}
	l.conns = append(l.conns, c)
	return c
}

// finish counts the hit of a connection whose request has ended, with its error.
func (l *loop) finish(c *conn, err error) {
	h := &c.hit
	h.Done = l.now()
	h.Again = c.again
	h.Lag += min(l.absent, h.Done-h.Sent)
	l.pauses.done(c.delay)
	if err == nil {
		l.fill(h, &c.answer)
		if h.Err == tally.NoError {
			h.Draws = c.wire.draws
		}
	} else {
		h.Err = classify(err)
	}
	if err != nil || !c.answer.keep || l.cfg.NoKeepAlive {
		l.disconnect(c)
	}
	c.state = free
	c.idleAt = h.Done
	if !l.free() {
		l.freed = h.Done
	}
	l.idle = append(l.idle, c)
	l.under--
	l.count(l.sink, h)
}

// fill puts into the hit what the answer tells.
func (l *loop) fill(hit *tally.Hit, a *answer) {
	h := &a.head
	hit.Status = h.StatusCode()
	hit.Err = l.cfg.Expect.class(hit.Status, a.text)
	hit.BytesIn = a.bytes
	group, tried := l.cfg.By.peek(h, a.text)
	hit.Group, hit.Tried = l.known.String(group), l.known.String(tried)
	hit.Worker = l.known.String(h.Peek(layout.HeaderWorker))
	hit.Name = l.known.String(h.Peek(layout.HeaderInstance))
}

// none is no number of a hit.
const none = ^uint64(0)

// cut breaks off requests that take too long, and closes connections that nothing has needed for long.
func (l *loop) cut(now time.Duration) {
	aborted := l.aborted.Load()
	for _, c := range slices.Clone(l.conns) {
		switch {
		case c.state == free && c.fd >= 0 && !l.cfg.InTurn && l.cfg.Schedule.Paced() && now-c.idleAt > keepIdle:
			l.disconnect(c)
		case c.state != free && aborted:
			l.finish(c, errInterrupted)
		case c.state == connecting && now-c.hit.Sent >= l.cfg.Timeout:
			l.finish(c, dialError{errTimeout})
		case c.state != free && now-c.hit.Sent >= l.cfg.Timeout:
			l.finish(c, errTimeout)
		}
	}
}
