package fleet

import (
	"os"
	"time"

	"balanceo/topology/logs"
	"balanceo/topology/supervise"
)

// Bounds of the balancer's access log: some 600,000 lines a file, and more of them than a run has. Whoever reads it
// follows it over its moves.
const (
	accessLogMost  = 256 << 20 // bytes; a larger file is moved to access.log.1
	accessLogKeep  = 7         // moved files kept
	accessLogEvery = 5 * time.Second
)

// reopener is a balancer that can be told to open its logs anew.
type reopener interface {
	Reopen(pid int) error
}

// keepAccessLog moves the access log away whenever it has grown too large.
func (f *Fleet) keepAccessLog() {
	b, ok := f.cfg.Balancer.(reopener)
	if !ok {
		return
	}
	tick := time.NewTicker(accessLogEvery)
	defer tick.Stop()
	for {
		select {
		case <-f.stopping:
			return
		case <-tick.C:
			if err := f.rotateAccessLog(b, accessLogMost); err != nil {
				f.Note("access log: %v", err)
			}
		}
	}
}

func (f *Fleet) rotateAccessLog(b reopener, most int64) error {
	f.mu.Lock()
	path := f.conf.AccessLog
	f.mu.Unlock()
	s := f.front.process.Status()
	info, err := os.Stat(path)
	if err != nil || info.Size() < most || s.State != supervise.Ready {
		return nil //nolint:nilerr // there is none, or none that is read
	}
	if err := logs.Rotate(path, accessLogKeep); err != nil {
		return err
	}
	return b.Reopen(s.PID)
}
