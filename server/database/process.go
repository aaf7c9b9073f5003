// Package database is the embedded database as a process of its own (FerretDB on SQLite), for whoever names no
// MongoDB. It owns the folder with the data: who serves it, who uses it, where it is to be found.
//
//   - Serve is that process: one a folder. It tells everybody what changes in it (changes.go), checks itself and ends where it can't write any more, so that whoever
//     supervises it starts another.
//   - Share finds or starts the process of a folder for servers that are started by hand; it stays as long as one
//     of them holds a Lease.
package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	"github.com/google/renameio/v2"

	"balanceo/server/store"
	"balanceo/topology/lock"
)

// Files beside the data in the folder of an embedded database.
const (
	addressFile = "address" // its address, while it runs or after it was killed
	ownerFile   = "owner"   // locked exclusively by the database process
	usersFile   = "users"   // locked shared by each user; exclusively by a database process that is leaving
	startFile   = "start"   // locked exclusively by the user that starts the database process
	logFile     = "database.log"
)

// ErrOwned means that another process serves the folder already.
var ErrOwned = errors.New("another database process serves this folder")

// Config says how the embedded database runs.
type Config struct {
	Dir    string // where the data lies; made if missing
	Listen string // host:port; port 0: any free one

	// IdleExit ends the process once no Lease on Dir was held for so long. 0: never.
	IdleExit time.Duration

	NewsPort int // where changes are told, beside Listen; 0: any free one

	// Postgres is the address of a PostgreSQL that has the data instead of the folder. Of several processes for one
	// database the first serves it, and the next takes over at its end. Dir, IdleExit and NewsPort mean nothing then.
	Postgres string

	// Ready is called with the address, as for MONGO_URL, once connections are accepted. May be nil.
	Ready func(url string)
}

// folder makes the folder of a database, and returns its absolute path. FerretDB hands it to SQLite in an address, without
// quotes for what means something there: the data would lie elsewhere.
func folder(name string) (string, error) {
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(dir, "%?#") {
		return "", fmt.Errorf("folder %q: its path must have no %%, ? or #, which SQLite reads otherwise", dir)
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// Serve runs the embedded database (FerretDB on SQLite) until ctx ends or nobody has used it for
// cfg.IdleExit. What it acknowledged is in SQLite's write-ahead log, so that ending it uncleanly loses nothing.
func Serve(ctx context.Context, cfg Config) error {
	if cfg.Postgres != "" {
		return servePostgres(ctx, cfg)
	}
	dir, err := folder(cfg.Dir)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	owner, err := lock.Open(filepath.Join(dir, ownerFile))
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { _ = owner.Close() }()
	if err := takeOver(ctx, owner); err != nil {
		return fmt.Errorf("database in %q: %w", dir, err)
	}

	seen, err := watchChanges(dir, cfg.Listen, cfg.NewsPort)
	if err != nil {
		return err
	}
	defer seen.close()

	db, err := open(ctx, cfg.Listen, func(c *ferretdb.Config) {
		c.Handler = "sqlite"
		c.SQLiteURL = (&url.URL{Scheme: "file", Path: dir + "/"}).String()
	})
	if err != nil {
		return fmt.Errorf("database in %q on %s: %w", dir, cfg.Listen, err)
	}
	defer db.close(ctx)
	if !db.prepared(ctx) {
		return nil
	}
	defer seen.ended.Store(true)
	address, own := db.address, db.store
	if err := seen.announce(ctx, own); err != nil {
		return err
	}
	file := filepath.Join(dir, addressFile)
	if err := renameio.WriteFile(file, []byte(address), 0o600); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if cfg.Ready != nil {
		cfg.Ready(address)
	}
	ctx, cancel := context.WithCancel(ctx)
	var purging sync.WaitGroup
	defer purging.Wait()
	defer cancel()
	purging.Go(func() { own.Purge(ctx) })
	return tend(ctx, dir, cfg.IdleExit, own)
}

// served is a FerretDB that runs in this process.
type served struct {
	address string
	store   *store.Store
	stop    context.CancelFunc
	ended   chan struct{}
}

// open runs a FerretDB with the settings that change makes.
func open(ctx context.Context, listen string, change func(*ferretdb.Config)) (*served, error) {
	cfg := &ferretdb.Config{
		Listener: ferretdb.ListenerConfig{TCP: listen},
		// It logs each start, connection and query otherwise.
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	change(cfg)
	db, err := ferretdb.New(cfg)
	if err != nil {
		return nil, err
	}
	s := &served{address: db.MongoDBURI() + store.DatabaseName, ended: make(chan struct{})}
	ctx, s.stop = context.WithCancel(ctx)
	go func() {
		defer close(s.ended)
		_ = db.Run(ctx) // is always nil
	}()
	if s.store, err = store.Open(s.address); err != nil { //nolint:contextcheck // it lives until it is closed, past ctx
		s.stop()
		<-s.ended
		return nil, err
	}
	return s, nil
}

// prepared waits until the collections exist, before anybody is told the address; false if ctx ends before.
func (s *served) prepared(ctx context.Context) bool {
	select {
	case <-s.store.Prepared():
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *served) close(ctx context.Context) {
	_ = s.store.Close(context.WithoutCancel(ctx))
	s.stop()
	<-s.ended
}

// takeOver locks the folder. It tries for a moment, because those who look whether the folder has an owner hold the
// lock for an instant too.
func takeOver(ctx context.Context, owner *lock.File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Second, ErrOwned)
	defer cancel()
	return waitFor(ctx, owner.TryExclusive)
}

// refusalLimit is how long writes may fail before the process ends.
const refusalLimit = 10 * time.Second

// writes returns an error where the database has not written for too long. A new process may: SQLite's connections
// can be left in a state in which they refuse whatever comes. It can't where the disk is full; then this one goes on
// with what can be read.
func writes(dir string, s *store.Store) error {
	since, refused := s.Refusal()
	if refused == nil || time.Since(since) < refusalLimit {
		return nil
	}
	room, err := os.CreateTemp(dir, "room-*")
	if err == nil {
		_, err = room.Write(make([]byte, 64<<10))
		err = errors.Join(err, room.Close(), os.Remove(room.Name()))
	}
	if err != nil {
		slog.Error("the database can't write because its folder can't be written", "dir", dir, "error", err)
		return nil
	}
	return fmt.Errorf("database in %q: it has refused writes for %v and ends, so that another can be started: %w", dir, refusalLimit, refused)
}

// tend returns when ctx ends, the users are gone or the database can't write any more. In the second case it still holds the users' lock, until the process ends: somebody who comes now waits for that and starts
// another.
func tend(ctx context.Context, dir string, idleExit time.Duration, s *store.Store) error {
	users, err := lock.Open(filepath.Join(dir, usersFile))
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	lastUsed, checked := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return users.Close()
		case <-tick.C:
		}
		if time.Since(checked) > time.Second {
			checked = time.Now()
			if err := writes(dir, s); err != nil {
				return errors.Join(err, users.Close())
			}
		}
		if idleExit == 0 {
			continue
		}
		alone, err := users.TryExclusive()
		switch {
		case err != nil:
			return errors.Join(fmt.Errorf("database: %w", err), users.Close())
		case !alone:
			lastUsed = time.Now()
			continue
		case time.Since(lastUsed) >= idleExit:
			// users stays open and locked on purpose; the end of the process releases it. The address goes first,
			// so that nobody reads it after.
			return os.Remove(filepath.Join(dir, addressFile))
		}
		if err := users.Unlock(); err != nil {
			return errors.Join(fmt.Errorf("database: %w", err), users.Close())
		}
	}
}
