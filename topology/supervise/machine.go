package supervise

import (
	"errors"
	"fmt"
	"time"
)

// eventKind is what can happen to a process.
type eventKind string

const (
	begin     eventKind = "start"         // Run was called
	ready     eventKind = "ready"         // the generation reports that it is ready
	exited    eventKind = "exit"          // the generation has ended, its group with it
	timedOut  eventKind = "ready timeout" // the generation was not ready in time
	delayOver eventKind = "delay over"    // the back-off is over
	silent    eventKind = "silent"        // the generation gives no sign of life
	answered  eventKind = "answered"      // it does again
	overdue   eventKind = "overdue"       // it has been silent for too long
	restart   eventKind = "restart"
	reload    eventKind = "reload"
	stop      eventKind = "stop"
)

// event is something that happened, at a time.
type event struct {
	kind   eventKind
	gen    int // the generation that it happened to, for what happens to one
	at     time.Time
	reason string // exited: how; silent, overdue: for how long
}

// actionKind is what is to be done.
type actionKind string

const (
	launch     actionKind = "launch"      // start generation gen
	terminate  actionKind = "terminate"   // TERM, later KILL, to generation gen
	kill       actionKind = "kill"        // KILL at once
	wait       actionKind = "wait"        // report delayOver after delay
	reloadDone actionKind = "reload done" // answer the reload; reason is why it failed, "" if it did not
)

type action struct {
	kind   actionKind
	gen    int
	delay  time.Duration
	reason string
}

// machine decides what is done with one process. It does nothing itself and reads no clock: step takes what
// happened and returns what to do.
type machine struct {
	policy RestartPolicy
	random func() float64 // 0 ≤ x < 1, for the jitter

	state State
	// cur is the generation that serves, next the one that a reload has started and that is not ready yet,
	// old the one that a reload has replaced and that has not ended yet. 0: none. While a reload replaces a
	// process that is already gone, cur is 0.
	cur, next, old int
	last           int // the latest generation given out

	again    bool // Stopping: start anew afterwards
	delay    time.Duration
	quick    []time.Time // the quick exits within the window, oldest first
	readyAt  time.Time   // when cur became ready
	restarts int
	reason   string
}

func newMachine(policy RestartPolicy, random func() float64) *machine {
	return &machine{policy: policy, random: random, state: Stopped}
}

// step takes in one event. An error means that a request can't be granted in this state.
func (m *machine) step(e event) ([]action, error) {
	switch e.kind {
	case begin:
		return m.start(), nil
	case ready:
		return m.onReady(e), nil
	case exited:
		return m.onExited(e), nil
	case timedOut:
		return m.onTimedOut(e), nil
	case silent, answered, overdue:
		return m.onLife(e), nil
	case delayOver:
		if m.state == BackOff {
			m.restarts++
			return m.start(), nil
		}
		return nil, nil
	case restart:
		return m.onRestart()
	case reload:
		return m.onReload()
	case stop:
		return m.onStop(), nil
	}
	return nil, fmt.Errorf("unknown event %q", e.kind)
}

// start launches the next generation as the one that is to serve.
func (m *machine) start() []action {
	m.last++
	m.cur, m.state, m.again = m.last, Starting, false
	return []action{{kind: launch, gen: m.cur}}
}

func (m *machine) onReady(e event) []action {
	switch {
	case m.state == Stopping:
		return nil
	case e.gen == m.cur && m.state == Starting:
		m.state, m.readyAt = Ready, e.at
		return nil
	case e.gen == m.next && m.next != 0:
		m.old, m.cur, m.next = m.cur, m.next, 0
		m.state, m.readyAt, m.reason = Ready, e.at, ""
		if m.old == 0 {
			return []action{{kind: reloadDone}}
		}
		return []action{{kind: terminate, gen: m.old}}
	}
	return nil
}

func (m *machine) onExited(e event) []action {
	switch e.gen {
	case m.old:
		m.old = 0
		if e.reason != "" {
			m.reason = e.reason
		}
		if m.state == Stopping {
			return m.stopped()
		}
		return []action{{kind: reloadDone}}
	case m.next:
		m.next, m.reason = 0, e.reason
		if m.state == Stopping {
			return append([]action{{kind: reloadDone, reason: "stopped meanwhile"}}, m.stopped()...)
		}
		done := action{kind: reloadDone, reason: e.reason}
		if m.cur == 0 {
			return append([]action{done}, m.ended(e)...)
		}
		return []action{done}
	case m.cur:
		m.cur, m.reason = 0, e.reason
		if m.state == Stopping {
			return m.stopped()
		}
		if m.next != 0 { // the one that was to replace it does so now
			m.state = Starting
			return nil
		}
		return m.ended(e)
	}
	return nil
}

// ended answers an exit that nobody asked for: at once, later or never again.
func (m *machine) ended(e event) []action {
	wasStable := (m.state == Ready || m.state == Unresponsive) && e.at.Sub(m.readyAt) >= m.policy.Stable
	m.cur = 0
	if wasStable {
		m.delay, m.quick = 0, nil
		m.restarts++
		return m.start()
	}
	m.quick = append(within(m.quick, e.at, m.policy.Window), e.at)
	if len(m.quick) > m.policy.Limit {
		m.state = Failed
		return nil
	}
	m.delay = nextBackoff(m.delay, m.policy)
	m.state = BackOff
	return []action{{kind: wait, delay: jittered(m.delay, m.policy.Jitter, m.random())}}
}

// onTimedOut stops a generation that does not become ready. Its exit decides what follows.
func (m *machine) onTimedOut(e event) []action {
	if e.gen == m.next && m.next != 0 || e.gen == m.cur && m.state == Starting {
		return []action{{kind: terminate, gen: e.gen, reason: e.reason}}
	}
	return nil
}

// onLife follows the signs of life of the generation that serves.
func (m *machine) onLife(e event) []action {
	switch {
	case e.gen != m.cur:
	case e.kind == silent && m.state == Ready:
		m.state, m.reason = Unresponsive, e.reason
	case e.kind == answered && m.state == Unresponsive:
		m.state, m.reason = Ready, ""
	case e.kind == overdue && m.state == Unresponsive:
		return []action{{kind: kill, gen: e.gen, reason: e.reason}}
	}
	return nil
}

func (m *machine) onRestart() ([]action, error) {
	switch m.state {
	case Starting, Ready, Unresponsive:
		m.state, m.again = Stopping, true
		m.forget()
		return m.terminateAll(), nil
	case BackOff, Failed, Stopped:
		m.forget()
		m.restarts++
		return m.start(), nil
	}
	return nil, fmt.Errorf("it is %s", m.state)
}

func (m *machine) onReload() ([]action, error) {
	switch m.state {
	case Ready, Unresponsive:
		if m.old != 0 || m.next != 0 {
			return nil, errors.New("a reload is going on")
		}
	case BackOff, Failed:
		m.forget()
		m.restarts++
		m.state = Starting
	default:
		return nil, fmt.Errorf("it is %s", m.state)
	}
	m.last++
	m.next = m.last
	return []action{{kind: launch, gen: m.next}}, nil
}

func (m *machine) onStop() []action {
	m.again = false
	if m.cur == 0 && m.next == 0 && m.old == 0 {
		m.state = Stopped
		return nil
	}
	m.state = Stopping
	return m.terminateAll()
}

// stopped is called in Stopping when a generation has ended.
func (m *machine) stopped() []action {
	switch {
	case m.cur != 0 || m.next != 0 || m.old != 0:
		return nil
	case m.again:
		m.restarts++
		return m.start()
	}
	m.state = Stopped
	return nil
}

func (m *machine) terminateAll() (all []action) {
	for _, gen := range []int{m.cur, m.next, m.old} {
		if gen != 0 {
			all = append(all, action{kind: terminate, gen: gen})
		}
	}
	return all
}

// forget wipes out what earlier exits have earned.
func (m *machine) forget() { m.delay, m.quick, m.reason = 0, nil, "" }

// within keeps the times that are no older than window.
func within(times []time.Time, now time.Time, window time.Duration) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) > window {
		times = times[1:]
	}
	return times
}

// nextBackoff is the delay after the next quick exit: MinDelay first, then doubled up to MaxDelay.
func nextBackoff(last time.Duration, p RestartPolicy) time.Duration {
	if last < p.MinDelay {
		return p.MinDelay
	}
	if last > p.MaxDelay/2 {
		return p.MaxDelay
	}
	return 2 * last
}

// jittered moves d by up to ±part of it, by r in [0, 1), so that processes that ended together do not come
// back together.
func jittered(d time.Duration, part, r float64) time.Duration {
	return d + time.Duration(float64(d)*part*(2*r-1))
}
