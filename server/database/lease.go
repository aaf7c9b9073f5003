package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"balanceo/server/store"
	"balanceo/topology/lock"
)

// Lease is a share in the embedded database of a folder. The database's process stays while somebody holds
// one, and is started again at its old address should it die. The kernel takes back the lease of a process
// that was killed.
type Lease struct {
	URL string // address of the database, as for MONGO_URL

	users *lock.File
	stop  context.CancelFunc
	work  sync.WaitGroup
}

// ShareConfig says which folder's database is wanted and how its process is started.
type ShareConfig struct {
	Dir string // made if missing

	// Command makes the command that serves dir on the address listen, by Serve with an IdleExit. It is
	// started detached, in a session of its own, with its output in Dir/database.log.
	Command func(dir, listen string) *exec.Cmd
}

// anyPort is where a database process listens if nobody knows another address of it.
const anyPort = "127.0.0.1:0"

// pollPeriod is how often a lock or an address that is waited for is looked at.
const pollPeriod = 10 * time.Millisecond

// Share finds the database process that serves the folder, or starts it, and waits until it answers. Any
// number of processes may call it at once: one of them starts the database.
func Share(ctx context.Context, cfg ShareConfig) (*Lease, error) {
	dir, err := folder(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("shared database: %w", err)
	}
	cfg.Dir = dir
	users, err := lock.Open(filepath.Join(dir, usersFile))
	if err != nil {
		return nil, fmt.Errorf("shared database: %w", err)
	}
	// Taken before the address is read: from here on the database does not leave.
	if err := waitFor(ctx, users.TryShared); err != nil {
		return nil, errors.Join(fmt.Errorf("shared database in %q: waiting for the last one to end: %w", dir, err), users.Close())
	}
	address, err := cfg.ensure(ctx, anyPort)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("shared database in %q: %w", dir, err), users.Close())
	}
	l := &Lease{URL: address, users: users}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.work.Go(func() { l.keep(ctx, cfg) })
	return l, nil
}

// Close gives the share back. The database process ends some seconds after the last one.
func (l *Lease) Close() error {
	l.stop()
	l.work.Wait()
	return l.users.Close()
}

// keep starts the database process again, at the same address, when it has died.
func (l *Lease) keep(ctx context.Context, cfg ShareConfig) {
	cs, err := connstring.ParseAndValidate(l.URL)
	if err != nil || len(cs.Hosts) != 1 {
		slog.Error("address of the shared database can't be read", "url", l.URL, "error", err)
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if owned, err := cfg.owned(); err == nil && owned {
			continue
		}
		try, cancel := context.WithTimeout(ctx, 10*time.Second)
		if _, err := cfg.ensure(try, cs.Hosts[0]); err != nil && ctx.Err() == nil {
			slog.Warn("shared database could not be started again", "dir", cfg.Dir, "error", err)
		}
		cancel()
	}
}

// ensure returns the address of the running database process. If there is none it starts one: where the last
// one was, if that was killed, since others may still look for it there; else on listen.
func (cfg ShareConfig) ensure(ctx context.Context, listen string) (string, error) {
	start, err := lock.Open(filepath.Join(cfg.Dir, startFile))
	if err != nil {
		return "", err
	}
	defer func() { _ = start.Close() }()
	if err := waitFor(ctx, start.TryExclusive); err != nil {
		return "", fmt.Errorf("waiting for the process that starts it: %w", err)
	}
	var exited <-chan error // of the process started here
	for {
		owned, err := cfg.owned()
		if err != nil {
			return "", err
		}
		if owned {
			if address, ok := cfg.answering(ctx); ok {
				return address, nil
			}
		} else if exited == nil {
			if host, ok := cfg.lastHost(); ok {
				listen = host
			}
			if err := os.Remove(filepath.Join(cfg.Dir, addressFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
			if exited, err = cfg.start(listen); err != nil {
				return "", err
			}
		}
		select {
		case err := <-exited:
			exited = nil
			// Asked anew: what owned the folder before may have been the process that has just ended.
			owned, ownedErr := cfg.owned()
			if ownedErr != nil {
				return "", ownedErr
			}
			if owned { // somebody else's process was quicker
				continue
			}
			if listen != anyPort { // somebody else has the port by now
				listen = anyPort
				continue
			}
			return "", fmt.Errorf("its process ended at once: %w; %s", err, lastLine(filepath.Join(cfg.Dir, logFile)))
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(pollPeriod):
		}
	}
}

// owned tells whether a database process has the folder.
func (cfg ShareConfig) owned() (bool, error) {
	owner, err := lock.Open(filepath.Join(cfg.Dir, ownerFile))
	if err != nil {
		return false, err
	}
	defer func() { _ = owner.Close() }()
	free, err := owner.TryShared()
	return !free, err
}

// lastHost returns the host and port in the folder, of a database process that runs or was killed.
func (cfg ShareConfig) lastHost() (string, bool) {
	text, err := os.ReadFile(filepath.Join(cfg.Dir, addressFile))
	if err != nil {
		return "", false
	}
	cs, err := connstring.ParseAndValidate(string(text))
	if err != nil || len(cs.Hosts) != 1 {
		return "", false
	}
	return cs.Hosts[0], true
}

// answering returns the address in the folder if something accepts connections there.
func (cfg ShareConfig) answering(ctx context.Context) (string, bool) {
	host, ok := cfg.lastHost()
	if !ok {
		return "", false
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", host)
	if err != nil {
		return "", false
	}
	_ = c.Close()
	return "mongodb://" + host + "/" + store.DatabaseName, true
}

// start starts the database process. The channel gets how it ended.
func (cfg ShareConfig) start(listen string) (<-chan error, error) {
	log, err := os.Create(filepath.Join(cfg.Dir, logFile))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := cfg.Command(cfg.Dir, listen)
	cmd.Stdout, cmd.Stderr = log, log
	// Not of the terminal's job: an interrupt for the server that started it must not end it for the others.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting its process: %w", err)
	}
	exited := make(chan error, 1)
	go func() { // reaps it, if it ends before this process does: the one goroutine that is not waited for
		err := cmd.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		exited <- err
	}()
	return exited, nil
}

func waitFor(ctx context.Context, try func() (bool, error)) error {
	for {
		if ok, err := try(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollPeriod):
		}
	}
}

func lastLine(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
