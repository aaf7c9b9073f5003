package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"balanceo/results/campaign"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/cli"
)

// progress tells on w how a campaign goes: a line a step and, on a terminal, one that counts the seconds.
type progress struct {
	w    io.Writer
	live bool

	mu      sync.Mutex // guards what goes to w while the seconds are counted
	stopped chan struct{}
	done    chan struct{}
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, live: ok && cli.IsTerminal(f)}
}

const clearLine = "\r\x1b[K"

// Note implements campaign.Progress.
func (p *progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		fmt.Fprint(p.w, clearLine)
	}
	fmt.Fprintln(p.w, text)
}

// Begin implements campaign.Progress.
func (p *progress) Begin(plan *campaign.Plan, step campaign.Step) {
	if !p.live {
		return
	}
	line, left, started := heading(plan, step, plan.Done()+1), plan.Left(), time.Now()
	p.stopped, p.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			spent := time.Since(started)
			p.mu.Lock()
			fmt.Fprintf(p.w, "%s%s  %.0f s; %s left", clearLine, line, spent.Seconds(), roughly(max(0, left-spent)))
			p.mu.Unlock()
			select {
			case <-tick.C:
			case <-p.stopped:
				return
			}
		}
	}()
}

// stop ends the line that counts the seconds.
func (p *progress) stop() {
	if p.stopped == nil {
		return
	}
	close(p.stopped)
	<-p.done
	p.stopped = nil
	fmt.Fprint(p.w, clearLine)
}

// End implements campaign.Progress.
func (p *progress) End(plan *campaign.Plan, step campaign.Step, r *run.Record) {
	p.stop()
	outcome := fmt.Sprintf("%s  p50 %s  p99 %s", units.Format(r.ActualRate, units.PerSecond),
		units.Format(r.Latency.P50, units.Seconds), units.Format(r.Latency.P99, units.Seconds))
	if r.Search != nil {
		outcome = "capacity " + units.Format(r.Search.MaxRate, units.PerSecond)
	}
	fmt.Fprintf(p.w, "%s  %-38s  %3.0f s; %s left\n", heading(plan, step, plan.Done()), outcome, step.Took.Seconds(), roughly(plan.Left()))
}

func heading(plan *campaign.Plan, step campaign.Step, number int) string {
	what := fmt.Sprintf("%s, run %d of %d", step.Side.Name, step.Round, plan.Settings.Rounds)
	if step.Kind == campaign.Search {
		what = fmt.Sprintf("%s, search %d of %d", step.Side.Name, step.Round, plan.Settings.Searches)
	}
	return fmt.Sprintf("[%*d/%d] %-24s", len(strconv.Itoa(len(plan.Steps))), number, len(plan.Steps), what)
}

func roughly(d time.Duration) string {
	if d < 90*time.Second {
		return fmt.Sprintf("about %.0f s", d.Seconds())
	}
	return fmt.Sprintf("about %.0f min", d.Minutes())
}
