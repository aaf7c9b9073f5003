package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"balanceo/topology/fleet"
	"balanceo/topology/status"
)

// Host is what commands act on.
type Host interface {
	Status(ctx context.Context) (*status.Snapshot, error)
	Reload(ctx context.Context, names []string, progress fleet.Progress) error
	Restart(ctx context.Context, names []string, progress fleet.Progress) error
	Scale(ctx context.Context, name string, n int, progress fleet.Progress) error
	Kill(ctx context.Context, name string, worker int, sig syscall.Signal) (pid int, err error)
	// Down ends the named parts, without names the layout: then it returns when nothing of that is left but
	// the topology process itself.
	Down(ctx context.Context, names []string, progress fleet.Progress) error
}

// message is one line of an action's answer.
type message struct {
	Line  string `json:"line,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"` // the last one
}

// Serve answers commands on ln until ctx is done. Actions that go on then come to their end.
func Serve(ctx context.Context, ln net.Listener, host Host) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		s, err := host.Status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // fails only when nobody reads
	})
	action := func(path string, do func(ctx context.Context, r *http.Request, names []string, progress fleet.Progress) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			answer(w, func(progress fleet.Progress) error { //nolint:contextcheck // a kill needs none
				return do(r.Context(), r, r.URL.Query()["name"], progress)
			})
		})
	}
	action("/reload", func(ctx context.Context, _ *http.Request, names []string, p fleet.Progress) error {
		return host.Reload(ctx, names, p)
	})
	action("/restart", func(ctx context.Context, _ *http.Request, names []string, p fleet.Progress) error {
		return host.Restart(ctx, names, p)
	})
	action("/down", func(ctx context.Context, _ *http.Request, names []string, p fleet.Progress) error {
		return host.Down(ctx, names, p)
	})
	action("/scale", func(ctx context.Context, r *http.Request, names []string, p fleet.Progress) error {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || len(names) != 1 {
			return errors.New("scale wants one name and a number")
		}
		return host.Scale(ctx, names[0], n, p)
	})
	action("/kill", func(ctx context.Context, r *http.Request, names []string, p fleet.Progress) error {
		worker, err := strconv.Atoi(r.FormValue("worker"))
		sig, err2 := strconv.Atoi(r.FormValue("signal"))
		if err != nil || err2 != nil || len(names) != 1 {
			return errors.New("kill wants one name, a worker's pid or 0, and a signal's number")
		}
		pid, err := host.Kill(ctx, names[0], worker, syscall.Signal(sig))
		if err == nil {
			p(fmt.Sprintf("%s: sent %s to pid %d", names[0], unix.SignalName(syscall.Signal(sig)), pid))
		}
		return err
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	// Whoever waits for an answer gets it; whoever never reads does not hold up the end.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// answer streams the lines of an action.
func answer(w http.ResponseWriter, do func(fleet.Progress) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	send := func(m message) {
		_ = out.Encode(m) // the action goes on when nobody reads
		_ = flush.Flush()
	}
	last := message{Done: true}
	if err := do(func(line string) { send(message{Line: line}) }); err != nil {
		last.Error = err.Error()
	}
	send(last)
}
