package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"balanceo/topology/fleet"
	"balanceo/topology/status"
)

// Keeper is what commands act on.
type Keeper interface {
	// Status tells how the layout is; sockets: with the connections of parts that don't count them themselves, too.
	Status(ctx context.Context, sockets bool) (*status.Snapshot, error)
	// Do carries out an action and returns when it is done.
	Do(ctx context.Context, a fleet.Action, progress fleet.Progress) error
	// Events returns what has happened after the event of that number, and waits until there is something.
	Events(ctx context.Context, after int) ([]fleet.Event, error)
}

// message is one line of an action's answer.
type message struct {
	Line  string `json:"line,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"` // the last one
}

// Serve answers commands on ln until ctx is done. Actions that go on then come to their end.
func Serve(ctx context.Context, ln net.Listener, k Keeper) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		s, err := k.Status(r.Context(), r.FormValue("sockets") != "false")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // fails only when nobody reads
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		reading, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()            // it has no end of its own
		streamEvents(reading, w, r.FormValue("after"), k) //nolint:contextcheck // it ends with the request
	})
	mux.HandleFunc("POST /actions", func(w http.ResponseWriter, r *http.Request) {
		var a fleet.Action
		in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		in.DisallowUnknownFields()
		if err := in.Decode(&a); err != nil {
			http.Error(w, "action: "+err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, func(progress fleet.Progress) error { return k.Do(r.Context(), a, progress) }) //nolint:contextcheck // an action ends with its request, not with the serving
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

// streamEvents sends events, one JSON document a line, until ctx is done.
func streamEvents(ctx context.Context, w http.ResponseWriter, after string, k Keeper) {
	last, err := strconv.Atoi(after)
	if err != nil && after != "" {
		http.Error(w, fmt.Sprintf("after=%q: the number of an event is accepted", after), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	out := json.NewEncoder(w)
	for {
		_ = flush.Flush() // also the headers, before anything has happened
		events, err := k.Events(ctx, last)
		if err != nil {
			return
		}
		for _, e := range events {
			if out.Encode(e) != nil {
				return // nobody reads
			}
			last = e.Number
		}
	}
}

// answer sends the lines of an action as they come, then its outcome.
func answer(w http.ResponseWriter, do func(fleet.Progress) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	send := func(m message) {
		_ = out.Encode(m) // whoever asked may have gone
		_ = flush.Flush()
	}
	err := do(func(line string) { send(message{Line: line}) })
	m := message{Done: true}
	if err != nil {
		m.Error = err.Error()
	}
	send(m)
}
