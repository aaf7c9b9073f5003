package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	"github.com/jackc/pgx/v5"

	"balanceo/server/store"
)

// CheckPostgres tells what is wrong with the address of a PostgreSQL, nil if nothing. It does not repeat the address,
// which may have a password in it.
func CheckPostgres(address string) error {
	if _, err := pgx.ParseConfig(address); err != nil {
		return errors.New("an address as postgres://user@host:5432/name is accepted")
	}
	return nil
}

// How often the events are looked at, which PostgreSQL does not bound as MongoDB does, and the owner's connection; and
// how long one look may take.
const (
	trimPeriod = time.Second
	trimLimit  = 10 * time.Second
)

// servePostgres runs FerretDB on a PostgreSQL. One process serves a database, because each remembers which collections
// there are: another one waits, and takes over when the first is gone.
func servePostgres(ctx context.Context, cfg Config) error {
	address := planned(cfg.Postgres)
	owner, err := own(ctx, address)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("database on PostgreSQL: %w", err)
	}
	defer func() { _ = owner.Close(context.WithoutCancel(ctx)) }()
	if err := mend(ctx, owner); err != nil {
		return fmt.Errorf("database on PostgreSQL: %w", err)
	}
	db, err := open(ctx, cfg.Listen, func(c *ferretdb.Config) {
		c.Handler = "postgresql"
		c.PostgreSQLURL = address
		c.Logger = slog.New(slog.DiscardHandler) // it logs with its data what is refused as it is in use, too
	})
	if err != nil {
		return fmt.Errorf("database on PostgreSQL, on %s: %w", cfg.Listen, err)
	}
	defer db.close(ctx)
	if !db.prepared(ctx) {
		return nil
	}
	if err := indexPostgres(ctx, owner, db.store); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("database on PostgreSQL: %w", err)
	}
	if cfg.Ready != nil {
		cfg.Ready(db.address)
	}
	return tendPostgres(ctx, owner, db.store)
}

// tendPostgres keeps the events short and removes what has expired, until ctx ends or the database is not this process's
// any more.
func tendPostgres(ctx context.Context, owner *pgx.Conn, s *store.Store) error {
	tick := time.NewTicker(trimPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		try, cancel := context.WithTimeout(ctx, trimLimit)
		trimErr, err := errors.Join(s.TrimEvents(try), purge(try, owner)), owner.Ping(try)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("database on PostgreSQL: the connection that owns it: %w", err)
		case trimErr != nil:
			slog.Warn("what is not needed any more was not removed", "error", trimErr)
		}
	}
}

// owning is the number of the lock that the process which serves a database holds in it.
const owning = 0x62616c616e63656f

// own waits until no other process serves the database, and returns the connection that says so as long as it is open.
func own(ctx context.Context, address string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(owning)); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// mend removes what a process that was killed has left half made: FerretDB makes a table or an index first and takes it
// down afterwards, and cannot make it again.
func mend(ctx context.Context, conn *pgx.Conn) error {
	schema := pgx.Identifier{store.DatabaseName}.Sanitize()
	var exists bool
	const find = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = $2)"
	if err := conn.QueryRow(ctx, find, store.DatabaseName, metadata).Scan(&exists); err != nil || !exists {
		return err
	}
	tables := `SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> $2
		AND tablename NOT IN (SELECT _jsonb->>'table' FROM ` + schema + "." + metadata + ")"
	indexes := `SELECT indexname FROM pg_indexes WHERE schemaname = $1 AND tablename <> $2 AND indexname NOT LIKE '%\_pkey' AND strpos(indexname, '` + indexMark + `') = 0
		AND indexname NOT IN (SELECT i->>'pgindex' FROM ` + schema + "." + metadata + `, jsonb_array_elements(_jsonb->'indexes') i)`
	for _, orphans := range []struct{ query, drop string }{{tables, "DROP TABLE %s CASCADE"}, {indexes, "DROP INDEX %s"}} {
		rows, err := conn.Query(ctx, orphans.query, store.DatabaseName, metadata)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range names {
			slog.Info("removing what a process left half made", "name", name)
			if _, err := conn.Exec(ctx, fmt.Sprintf(orphans.drop, inSchema(name))); err != nil {
				return err
			}
		}
	}
	return nil
}
