package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	"github.com/jackc/pgx/v5/pgconn"
)

// trimPeriod is how often the events are looked at: PostgreSQL does not bound them as MongoDB does.
const trimPeriod = time.Second

// CheckPostgres tells what is wrong with the address of a PostgreSQL, nil if nothing. It does not repeat the address,
// which may have a password in it.
func CheckPostgres(address string) error {
	if _, err := pgconn.ParseConfig(address); err != nil {
		return errors.New("an address as postgres://user@host:5432/name is accepted")
	}
	return nil
}

// servePostgres runs FerretDB on a PostgreSQL, which keeps the data and whatever follows from that: nothing is owned
// here, and processes that use the same one see each other's changes by its events.
func servePostgres(ctx context.Context, cfg Config) error {
	db, err := open(ctx, cfg.Listen, func(c *ferretdb.Config) {
		c.Handler = "postgresql"
		c.PostgreSQLURL = cfg.Postgres
		c.Logger = slog.New(slog.DiscardHandler) // it logs with its data what is refused as it is in use, too
	})
	if err != nil {
		return fmt.Errorf("database on PostgreSQL, on %s: %w", cfg.Listen, err)
	}
	defer db.close(ctx)
	if !db.prepared(ctx) {
		return nil
	}
	if cfg.Ready != nil {
		cfg.Ready(db.address)
	}
	tick := time.NewTicker(trimPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := db.store.TrimEvents(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("events were not trimmed", "error", err)
		}
	}
}
