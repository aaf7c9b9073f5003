package ui

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"balanceo/topology/fleet"
)

//go:embed page
var page embed.FS

func (s *server) routes() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder above is there or never was
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/status", s.status)
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("GET /api/lessons", func(w http.ResponseWriter, _ *http.Request) { answer(w, Lessons()) })
	mux.HandleFunc("GET /api/window", s.window)
	mux.HandleFunc("POST /api/actions", s.act)
	mux.HandleFunc("POST /api/load", s.setLoad)
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	_ = out.Encode(v) // fails only when nobody reads
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// status is what topology status --json prints.
func (s *server) status(w http.ResponseWriter, r *http.Request) {
	snapshot, err := s.cfg.Keeper.Status(r.Context(), true)
	if err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	answer(w, snapshot)
}

// sendLimit is how long a page may take to read one update.
const sendLimit = 10 * time.Second

// events are server-sent events, each an update.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	updates, err := s.feed.hub.join(s.feed.everything)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	defer s.feed.hub.leave(updates)
	s.feed.due.Store(true)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_, _ = fmt.Fprint(w, "retry: 1000\n\n")
	for {
		if out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case text, ok := <-updates:
			_ = out.SetWriteDeadline(time.Now().Add(sendLimit))
			if !ok {
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
				return
			}
		}
	}
}

// window adds up the seconds from one up to before another, both in Unix seconds.
func (s *server) window(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.ParseInt(r.FormValue("from"), 10, 64)
	to, toErr := strconv.ParseInt(r.FormValue("to"), 10, 64)
	if err = errors.Join(err, toErr); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("from and to: accepted are Unix seconds: %w", err))
		return
	}
	s.feed.mu.Lock()
	sum := s.feed.counts.between(from, to)
	s.feed.mu.Unlock()
	answer(w, sum)
}

// actLimit is the longest that an action of the page may take.
const actLimit = 2 * time.Minute

// act carries out an action and answers, when it is done, with the lines that a terminal would have shown.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	var a fleet.Action
	if !decode(w, r, &a) {
		return
	}
	if a.Verb == fleet.Down && len(a.Names) == 0 {
		refuse(w, http.StatusBadRequest, errors.New("the page does not take the whole layout down: topology down does"))
		return
	}
	a.By = "page"
	ctx, cancel := context.WithTimeout(r.Context(), actLimit)
	defer cancel()
	lines := []string{}
	if err := s.cfg.Keeper.Do(ctx, a, func(line string) { lines = append(lines, line) }); err != nil {
		refuse(w, http.StatusConflict, err)
		return
	}
	answer(w, map[string]any{"command": "topology " + a.String(), "lines": lines})
}

// setLoad begins another load, or ends the one that runs where the rate is 0.
func (s *server) setLoad(w http.ResponseWriter, r *http.Request) {
	var l Load
	if !decode(w, r, &l) {
		return
	}
	if l.Rate == 0 {
		s.load.end("page")
		answer(w, s.load.status())
		return
	}
	if err := s.load.start(l, "page"); err != nil { //nolint:contextcheck // the load outlives the request
		refuse(w, http.StatusBadRequest, err)
		return
	}
	answer(w, s.load.status())
}

func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	in.DisallowUnknownFields()
	if err := in.Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return false
	}
	return true
}
