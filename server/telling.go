package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"

	"balanceo/server/scoreboard"
	"balanceo/topology/ledger"
)

// tellLedger begins to tell the ledger at LEDGER, where that is set, what the instance has counted. When this process
// is gone, as pods go, its count is not.
func tellLedger(ctx context.Context, board *scoreboard.Board) *ledger.Teller {
	url := os.Getenv("LEDGER")
	if url == "" {
		return nil
	}
	host, _ := os.Hostname()
	return ledger.Tell(ctx, url, cmp.Or(host, os.Getenv("INSTANCE"), "server"), board.Requests)
}

// endTelling tells it for the last time.
func endTelling(t *ledger.Teller) {
	if err := t.End(); err != nil {
		slog.Warn("ending", "error", err)
	}
}
