package supervise

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// testPolicy has no jitter: random gives the middle.
var testPolicy = RestartPolicy{
	MinDelay: 100 * time.Millisecond, MaxDelay: time.Second, Jitter: 0.2,
	Limit: 3, Window: 10 * time.Second, Stable: time.Second,
}

func middle() float64 { return 0.5 }

// at is a time in a test's life of a process.
func at(seconds float64) time.Time {
	return time.Unix(1_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// show writes actions as "launch 2, wait 100ms".
func show(actions []action, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var parts []string
	for _, a := range actions {
		s := string(a.kind)
		switch a.kind {
		case launch, terminate, kill:
			s += fmt.Sprintf(" %d", a.gen)
		case wait:
			s += " " + a.delay.String()
		}
		if a.reason != "" {
			s += " (" + a.reason + ")"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func TestMachine(t *testing.T) {
	type step struct {
		event
		want  string
		state State
	}
	begun := step{event{kind: begin}, "launch 1", Starting}
	isReady := step{event{kind: ready, gen: 1, at: at(1)}, "", Ready}
	crash := func(gen int, when float64) event {
		return event{kind: exited, gen: gen, at: at(when), reason: "exit status 1"}
	}
	gone := func(gen int) event { return event{kind: exited, gen: gen, at: at(50)} }

	for _, tt := range []struct {
		name     string
		steps    []step
		reason   string
		restarts int
	}{
		{"started and stopped", []step{
			begun, isReady,
			{event{kind: stop}, "terminate 1", Stopping},
			{gone(1), "", Stopped},
		}, "", 0},
		{"silent, answers again, silent for too long", []step{
			begun,
			{event{kind: silent, gen: 1}, "", Starting},
			isReady,
			{event{kind: overdue, gen: 1}, "", Ready},
			{event{kind: silent, gen: 1, reason: "silence"}, "", Unresponsive},
			{event{kind: answered, gen: 1}, "", Ready},
			{event{kind: silent, gen: 1, reason: "silence"}, "", Unresponsive},
			{event{kind: silent, gen: 7}, "", Unresponsive},
			{event{kind: overdue, gen: 1, reason: "killed"}, "kill 1 (killed)", Unresponsive},
			{crash(1, 20), "launch 2", Starting},
			{event{kind: ready, gen: 2, at: at(21)}, "", Ready},
		}, "exit status 1", 1},
		{"silent and reloaded", []step{
			begun, isReady,
			{event{kind: silent, gen: 1, reason: "silence"}, "", Unresponsive},
			{event{kind: reload}, "launch 2", Unresponsive},
			{event{kind: ready, gen: 2}, "terminate 1", Ready},
			{event{kind: silent, gen: 1}, "", Ready},
		}, "", 0},
		{"silent and restarted", []step{
			begun, isReady,
			{event{kind: silent, gen: 1, reason: "silence"}, "", Unresponsive},
			{event{kind: restart}, "terminate 1", Stopping},
		}, "", 0},
		{"stopped while it starts", []step{
			begun,
			{event{kind: stop}, "terminate 1", Stopping},
			{event{kind: ready, gen: 1}, "", Stopping},
			{gone(1), "", Stopped},
		}, "", 0},
		{"stopped during the back-off", []step{
			begun,
			{crash(1, 0), "wait 100ms", BackOff},
			{event{kind: stop}, "", Stopped},
			{event{kind: delayOver}, "", Stopped},
		}, "exit status 1", 0},
		{"stable, so started again at once", []step{
			begun, isReady,
			{crash(1, 2), "launch 2", Starting},
			{event{kind: ready, gen: 2, at: at(3)}, "", Ready},
			{crash(2, 4), "launch 3", Starting},
		}, "exit status 1", 2},
		{"quick exits are delayed more and more, then it is given up", []step{
			begun,
			{crash(1, 0), "wait 100ms", BackOff},
			{event{kind: delayOver}, "launch 2", Starting},
			{event{kind: ready, gen: 2, at: at(0.2)}, "", Ready},
			{crash(2, 0.4), "wait 200ms", BackOff},
			{event{kind: delayOver}, "launch 3", Starting},
			{crash(3, 0.5), "wait 400ms", BackOff},
			{event{kind: delayOver}, "launch 4", Starting},
			{crash(4, 0.9), "", Failed},
			{event{kind: delayOver}, "", Failed},
		}, "exit status 1", 3},
		{"quick exits far apart never add up", []step{
			begun,
			{crash(1, 0), "wait 100ms", BackOff},
			{event{kind: delayOver}, "launch 2", Starting},
			{crash(2, 5), "wait 200ms", BackOff},
			{event{kind: delayOver}, "launch 3", Starting},
			{crash(3, 10), "wait 400ms", BackOff},
			{event{kind: delayOver}, "launch 4", Starting},
			{crash(4, 11), "wait 800ms", BackOff},
			{event{kind: delayOver}, "launch 5", Starting},
			{crash(5, 21), "wait 1s", BackOff},
		}, "exit status 1", 4},
		{"a stable life wipes out the quick exits", []step{
			begun,
			{crash(1, 0), "wait 100ms", BackOff},
			{event{kind: delayOver}, "launch 2", Starting},
			{event{kind: ready, gen: 2, at: at(1)}, "", Ready},
			{crash(2, 3), "launch 3", Starting},
			{crash(3, 3), "wait 100ms", BackOff},
		}, "exit status 1", 2},
		{"not ready in time", []step{
			begun,
			{event{kind: timedOut, gen: 1, reason: "not ready within 1s"}, "terminate 1 (not ready within 1s)", Starting},
			{event{kind: exited, gen: 1, at: at(2), reason: "not ready within 1s"}, "wait 100ms", BackOff},
		}, "not ready within 1s", 0},
		{"a timeout that comes late is nothing", []step{
			begun, isReady,
			{event{kind: timedOut, gen: 1}, "", Ready},
		}, "", 0},
		{"restart", []step{
			begun, isReady,
			{event{kind: restart}, "terminate 1", Stopping},
			{event{kind: restart}, "error: it is stopping", Stopping},
			{gone(1), "launch 2", Starting},
			{event{kind: ready, gen: 2}, "", Ready},
		}, "", 1},
		{"a restart that is overtaken by a stop", []step{
			begun, isReady,
			{event{kind: restart}, "terminate 1", Stopping},
			{event{kind: stop}, "terminate 1", Stopping},
			{gone(1), "", Stopped},
		}, "", 0},
		{"restart of a failed one", []step{
			begun,
			{crash(1, 0), "wait 100ms", BackOff},
			{event{kind: delayOver}, "launch 2", Starting},
			{crash(2, 0), "wait 200ms", BackOff},
			{event{kind: delayOver}, "launch 3", Starting},
			{crash(3, 0), "wait 400ms", BackOff},
			{event{kind: delayOver}, "launch 4", Starting},
			{crash(4, 0), "", Failed},
			{event{kind: restart}, "launch 5", Starting},
			{crash(5, 0), "wait 100ms", BackOff},
		}, "exit status 1", 4},
		{"reload", []step{
			begun, isReady,
			{event{kind: reload}, "launch 2", Ready},
			{event{kind: reload}, "error: a reload is going on", Ready},
			{event{kind: ready, gen: 2, at: at(2)}, "terminate 1", Ready},
			{event{kind: reload}, "error: a reload is going on", Ready},
			{gone(1), "reload done", Ready},
			{event{kind: stop}, "terminate 2", Stopping},
			{gone(2), "", Stopped},
		}, "", 0},
		{"reload to a process that does not start", []step{
			begun, isReady,
			{event{kind: reload}, "launch 2", Ready},
			{crash(2, 2), "reload done (exit status 1)", Ready},
			{event{kind: reload}, "launch 3", Ready},
			{event{kind: timedOut, gen: 3, reason: "slow"}, "terminate 3 (slow)", Ready},
			{event{kind: exited, gen: 3, reason: "slow"}, "reload done (slow)", Ready},
		}, "slow", 0},
		{"the old one dies while the new one starts", []step{
			begun, isReady,
			{event{kind: reload}, "launch 2", Ready},
			{crash(1, 2), "", Starting},
			{event{kind: ready, gen: 2, at: at(3)}, "reload done", Ready},
			{crash(2, 5), "launch 3", Starting},
		}, "exit status 1", 1},
		{"both die during a reload", []step{
			begun, isReady,
			{event{kind: reload}, "launch 2", Ready},
			{crash(1, 2), "", Starting},
			{crash(2, 2), "reload done (exit status 1), wait 100ms", BackOff},
		}, "exit status 1", 0},
		{"the new one dies while the old one drains", []step{
			begun, isReady,
			{event{kind: reload}, "launch 2", Ready},
			{event{kind: ready, gen: 2, at: at(2)}, "terminate 1", Ready},
			{crash(2, 2.5), "wait 100ms", BackOff},
			{gone(1), "reload done", BackOff},
			{event{kind: delayOver}, "launch 3", Starting},
		}, "exit status 1", 1},
		{"stop in the middle of a reload", []step{
			begun, isReady,
			{event{kind: reload}, "launch 2", Ready},
			{event{kind: stop}, "terminate 1, terminate 2", Stopping},
			{gone(2), "reload done (stopped meanwhile)", Stopping},
			{gone(1), "", Stopped},
		}, "", 0},
		{"reload of one that backs off", []step{
			begun,
			{crash(1, 0), "wait 100ms", BackOff},
			{event{kind: reload}, "launch 2", Starting},
			{event{kind: delayOver}, "", Starting},
			{event{kind: ready, gen: 2}, "reload done", Ready},
		}, "", 1},
		{"reload while it starts", []step{
			begun,
			{event{kind: reload}, "error: it is starting", Starting},
		}, "", 0},
		{"killed because it ignored TERM", []step{
			begun, isReady,
			{event{kind: stop}, "terminate 1", Stopping},
			{event{kind: exited, gen: 1, reason: "pid 7 ignored TERM"}, "", Stopped},
		}, "pid 7 ignored TERM", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(testPolicy, middle)
			for i, s := range tt.steps {
				if got := show(m.step(s.event)); got != s.want || m.state != s.state {
					t.Fatalf("step %d, %s of %d: got %q and %s, want %q and %s", i, s.kind, s.gen, got, m.state, s.want, s.state)
				}
			}
			if m.reason != tt.reason || m.restarts != tt.restarts {
				t.Errorf("reason %q and %d restarts, want %q and %d", m.reason, m.restarts, tt.reason, tt.restarts)
			}
		})
	}
}

func TestNextBackoff(t *testing.T) {
	p := RestartPolicy{MinDelay: 100 * time.Millisecond, MaxDelay: 3 * time.Second}
	last := time.Duration(0)
	for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3000, 3000} {
		got := nextBackoff(last, p)
		if got != want*time.Millisecond {
			t.Errorf("exit %d: nextBackoff(%v) = %v, want %v", i, last, got, want*time.Millisecond)
		}
		last = got
	}
	p.MaxDelay = 1<<63 - 1
	if got := nextBackoff(1<<62, p); got != p.MaxDelay {
		t.Errorf("nextBackoff near the largest duration = %v, want %v", got, p.MaxDelay)
	}
}

func TestJittered(t *testing.T) {
	for _, tt := range []struct {
		part, r float64
		want    time.Duration
	}{
		{0, 0.9, time.Second}, {0.2, 0, 800 * time.Millisecond}, {0.2, 0.5, time.Second}, {0.2, 1, 1200 * time.Millisecond},
	} {
		if got := jittered(time.Second, tt.part, tt.r); got != tt.want {
			t.Errorf("jittered(1s, %v, %v) = %v, want %v", tt.part, tt.r, got, tt.want)
		}
	}
}

func TestWithin(t *testing.T) {
	times := []time.Time{at(0), at(5), at(9)}
	for _, tt := range []struct {
		now  float64
		want int
	}{{9, 3}, {10, 3}, {10.5, 2}, {16, 1}, {100, 0}} {
		if got := len(within(times, at(tt.now), 10*time.Second)); got != tt.want {
			t.Errorf("within(0, 5, 9; now %v, 10s) = %d times, want %d", tt.now, got, tt.want)
		}
	}
}
