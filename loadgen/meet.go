package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"balanceo/loadgen/promise"
	"balanceo/results/run"
	"balanceo/topology/balancer"
	"balanceo/topology/cli"
	"balanceo/topology/ledger"
)

// How long the parts of a load wait for each other before and after, and how long after the last one has come they
// begin: each has to look at the servers' counts before any request of the others.
const (
	meetLimit = 5 * time.Minute
	endLimit  = time.Minute
	lead      = 3 * time.Second
)

// readStart reads -start-at: a time, or the address of a ledger where the parts agree on one.
func (o *loadOptions) readStart(p *plan) (err error) {
	if strings.HasPrefix(o.StartAt, "http://") {
		if p.parts == 0 {
			return cli.Usagef("-start-at %q: parts of a load meet there, so it needs -part", o.StartAt)
		}
		p.meetAt = o.StartAt
		return nil
	}
	if p.startAt, err = readTime(o.StartAt); err != nil {
		return cli.Usagef("-start-at %q: want a time, for example 2006-01-02T15:04:05Z, seconds since 1970, or the http address of a ledger", o.StartAt)
	}
	return nil
}

// meet waits for the other parts, at the beginning or the end of the load, where they agreed to.
func (p *plan) meet(ctx context.Context, when string, limit time.Duration) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ledger.Meet(ctx, p.meetAt, cmp.Or(os.Getenv("LOAD_ID"), "load")+"-"+when, int(p.part), int(p.parts))
}

// meetBefore settles when to begin: not before every instance is there, as a load may be applied with its layout.
func (p *plan) meetBefore(ctx context.Context, promised *promise.Promise) error {
	if p.meetAt == "" {
		return nil
	}
	if err := awaitInstances(ctx, promised.Config); err != nil {
		return err
	}
	// Before they meet: a busy ledger takes its time to answer, and from then on they have lead and no more.
	asking, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	var err error
	if p.clock, err = ledger.AskClock(asking, p.meetAt, p.now); err != nil {
		return err
	}
	at, err := p.meet(ctx, "begin", meetLimit)
	p.startAt = at.Add(lead)
	return err
}

// begin is when to begin by this machine's clock; zero: at once.
func (p *plan) begin() time.Time {
	if p.clock == nil {
		return p.startAt
	}
	return p.startAt.Add(p.clock.Offset)
}

// partOf is what a record says of the part that it is of.
func (p *plan) partOf(started time.Time) *run.Part {
	part := &run.Part{Number: int(p.part) + 1, Of: int(p.parts), StartAt: p.startAt, Started: started.UTC()}
	if p.clock != nil {
		offset := p.clock.Offset.Seconds()
		part.ClockOffset, part.ClockBound = &offset, p.clock.Bound.Seconds()
	}
	return part
}

// meetAfter waits until no part sends any more: what is under way is counted by some and not by others. A part that
// does not come has failed, which the merge will tell.
func (p *plan) meetAfter(ctx context.Context) {
	if p.meetAt != "" {
		_, _ = p.meet(ctx, "end", endLimit)
	}
}

// awaitInstances waits until each instance for which a ledger counts has told it something.
func awaitInstances(ctx context.Context, c *balancer.Config) error {
	if c == nil || c.Ledger == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, meetLimit)
	defer cancel()
	for {
		missing := ""
		counts, err := ledger.AskCounts(ctx, c.Ledger)
		for _, g := range c.Groups {
			for _, s := range g.Servers {
				if err == nil && s.Name != "" && len(counts.Instances[s.Name]) == 0 {
					missing = s.Name
				}
			}
		}
		if err == nil && missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = fmt.Errorf("instance %s is not there after %v", missing, meetLimit)
			}
			return err
		case <-time.After(lead / 10):
		}
	}
}
