package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ended is the parameter of a count that is the last of its process.
const ended = "ended"

// How often a server tells what it has counted, how long one try takes at most, and how long the last one is tried.
const (
	tellPeriod = 250 * time.Millisecond
	tellLimit  = time.Second
	lastLimit  = 2 * time.Second
)

// Teller tells a ledger what a server counts, as often as that changes. End tells it for the last time.
type Teller struct {
	url   string
	count func() int64
	ctx   context.Context //nolint:containedctx // that of Tell, for End, but it does not end
	stop  context.CancelFunc
	done  chan struct{}
}

// Tell begins to tell. The url is that of the instance in the ledger: ADDRESS/counts/INSTANCE; process is a name that
// no other process has. The end of ctx ends nothing.
func Tell(ctx context.Context, url, process string, count func() int64) *Teller {
	t := &Teller{url: url + "/" + process, count: count, ctx: context.WithoutCancel(ctx), done: make(chan struct{})}
	ctx, t.stop = context.WithCancel(t.ctx)
	go t.keep(ctx) //nolint:contextcheck // it is made of the one that was given
	return t
}

func (t *Teller) keep(ctx context.Context) {
	defer close(t.done)
	tick := time.NewTicker(tellPeriod)
	defer tick.Stop()
	told, failing := int64(-1), false
	var at time.Time
	for {
		// Now and then it is told unasked for: a ledger that has begun anew knows nothing.
		if n := t.count(); n != told || time.Since(at) > 10*tellPeriod {
			try, cancel := context.WithTimeout(ctx, tellLimit)
			err := t.put(try, n, "")
			cancel()
			if err == nil {
				told, at = n, time.Now()
			} else if !failing && ctx.Err() == nil {
				slog.Warn("the ledger was not told", "error", err)
			}
			failing = err != nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// End tells the last count, when nothing is counted any more. A nil Teller has nobody to tell.
//
//nolint:contextcheck // what the Teller was made with lasts until here
func (t *Teller) End() error {
	if t == nil {
		return nil
	}
	t.stop()
	<-t.done
	ctx, cancel := context.WithTimeout(t.ctx, lastLimit)
	defer cancel()
	for {
		err := t.put(ctx, t.count(), "?"+ended)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the ledger was not told the last count: %w", err)
		case <-time.After(tellPeriod):
		}
	}
}

func (t *Teller) put(ctx context.Context, n int64, query string) error {
	resp, err := send(ctx, http.MethodPut, t.url+query, strings.NewReader(strconv.FormatInt(n, 10)))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	return nil
}
