package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"balanceo/server/database"
	"balanceo/server/store"
	"balanceo/topology/cli"
	"balanceo/topology/supervise"
)

// Of the embedded database that servers started by hand in one folder share.
const (
	sharedDir      = "run/database"
	sharedIdleExit = 5 * time.Second
	sharedTimeout  = 20 * time.Second // the first start makes its files
)

// serveDatabase runs the embedded database until ctx ends or nobody uses it any more.
func serveDatabase(ctx context.Context, in *supervise.Inheritance, c *databaseCommand) error {
	defer time.AfterFunc(startOver, shedStart).Stop()
	return database.Serve(ctx, database.Config{
		Dir: c.Dir, Listen: c.Listen, IdleExit: c.idleExit, NewsPort: c.NewsPort, Postgres: c.Postgres,
		Ready: func(url string) {
			slog.Info("the database is ready", "url", url, "dir", c.Dir)
			if err := in.Notify(); err != nil {
				slog.Error("not reported ready", "error", err)
			}
		},
	})
}

// openStore connects to the database at url, or to the embedded one of this folder where url is empty. What
// it opened is closed with the function it returns.
func openStore(ctx context.Context, url string) (*store.Store, func(context.Context), error) {
	giveBack := func() error { return nil }
	if url == "" {
		executable, err := os.Executable()
		if err != nil {
			return nil, nil, fmt.Errorf("own executable: %w", err)
		}
		outlasting := context.WithoutCancel(ctx) // the database serves others, too
		ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
		defer cancel()
		lease, err := database.Share(ctx, database.ShareConfig{
			Dir: filepath.FromSlash(sharedDir),
			Command: func(dir, listen string) *exec.Cmd {
				return exec.CommandContext(outlasting, executable, "database", "--listen", listen, "--dir", dir, "--idle-exit", sharedIdleExit.String())
			},
		})
		if err != nil {
			return nil, nil, cli.Hint(err, "MONGO_URL or --mongo-url names a database to use instead")
		}
		url, giveBack = lease.URL, lease.Close
	}
	s, err := store.Open(url) //nolint:contextcheck // it waits for nothing; Close ends what it starts
	if err != nil {
		_ = giveBack()
		return nil, nil, err
	}
	return s, func(ctx context.Context) {
		if err := s.Close(ctx); err != nil {
			slog.Warn("closing the database connection", "error", err)
		}
		if err := giveBack(); err != nil {
			slog.Warn("giving the shared database back", "error", err)
		}
	}, nil
}
