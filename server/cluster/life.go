package cluster

import (
	"context"
	"syscall"
	"time"

	"balanceo/topology/supervise"
)

// Life is how a master knows that its workers live. A shared port answers whichever worker is asked, so that
// asking the port tells nothing about one of them.
type Life struct {
	// Beats is a number that grows as long as the worker with that pid works; ok is false where it is not known.
	// Nil: no worker is watched.
	Beats func(pid int) (n uint64, ok bool)
	// Silence is how long the number may stay the same before the worker is killed, and so replaced.
	Silence time.Duration
	// Spared tells that somebody holds workers up on purpose: none is killed meanwhile. Nil: nobody does.
	Spared func() bool
}

// heard is when a process was heard of last.
type heard struct {
	beats uint64
	at    time.Time
}

// watch ends ready workers that have fallen silent, until ctx ends.
func (m *Master) watch(ctx context.Context) {
	life := m.cfg.Life
	if life.Beats == nil || life.Silence <= 0 {
		return
	}
	period := life.Silence / 10
	tick := time.NewTicker(period)
	defer tick.Stop()
	known := map[int]heard{}
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		// A master that was held up itself knows nothing of what its workers did meanwhile.
		fresh := now.Sub(looked) > 3*period || life.Spared != nil && life.Spared()
		looked = now
		known = m.listen(known, now, fresh)
	}
}

// listen looks at all ready workers and ends those that have been silent for too long. fresh counts the silence
// anew.
func (m *Master) listen(known map[int]heard, now time.Time, fresh bool) map[int]heard {
	next := map[int]heard{}
	for _, w := range m.list() {
		s := w.process.Status()
		if s.State != supervise.Ready {
			continue
		}
		beats, ok := m.cfg.Life.Beats(s.PID)
		last, before := known[s.PID]
		switch {
		case !ok: // it counts for itself, or has ended
		case fresh || !before || beats != last.beats:
			next[s.PID] = heard{beats, now}
		case now.Sub(last.at) <= m.cfg.Life.Silence:
			next[s.PID] = last
		default:
			m.log.Error("a worker does not answer and is ended", "worker", w.id, "pid", s.PID, "silent_for", now.Sub(last.at).Round(time.Millisecond))
			_ = w.process.Signal(syscall.SIGKILL) // an error: it has ended by itself
		}
	}
	return next
}
