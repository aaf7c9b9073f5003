package supervise

import (
	"context"
	"fmt"
	"time"
)

// watchLife asks a generation for signs of life until ctx is done and tells the loop of changes.
func (p *Process) watchLife(ctx context.Context, gen int, events chan<- event) {
	spec := p.spec.Liveness
	post := func(kind eventKind, reason string) {
		select {
		case events <- event{kind: kind, gen: gen, reason: reason}:
		case <-ctx.Done():
		}
	}
	misses, lastSign := 0, time.Now()
	for tick := time.NewTicker(spec.Interval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		asked := time.Now()
		question, cancel := context.WithTimeout(ctx, spec.Timeout)
		err := p.spec.Alive(question)
		cancel()
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if misses >= spec.Misses {
				post(answered, "")
			}
			misses, lastSign = 0, asked
		default:
			silence := time.Since(lastSign)
			if misses++; misses == spec.Misses {
				post(silent, fmt.Sprintf("no sign of life for %v", silence.Round(100*time.Millisecond)))
			}
			if misses >= spec.Misses && silence >= spec.ReplaceAfter && time.Now().After(p.sparedUntil()) {
				post(overdue, fmt.Sprintf("killed: no sign of life for %v", silence.Round(100*time.Millisecond)))
			}
		}
	}
}
