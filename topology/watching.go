package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"balanceo/topology/status"
	"balanceo/topology/supervise"
	"balanceo/topology/watch"
)

// serverPackage is what --watch builds.
const serverPackage = "./server"

// watch builds server anew when its sources change, and reloads the instances if that succeeds, until end is
// called. It does nothing without a module.
func (h *host) watch(ctx context.Context, root, output string) (end func()) {
	if root == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.watched("waits for changes of %s in %s", serverPackage, root)
		err := watch.Run(ctx, watch.Config{
			Root: root, Package: serverPackage,
			Changed: func(ctx context.Context, files []string) { h.rebuild(ctx, root, output, files) },
		})
		if err != nil {
			h.watched("ended: %v", err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// rebuild is what follows a change.
func (h *host) rebuild(ctx context.Context, root, output string, files []string) {
	begun := time.Now()
	what := strings.Join(files, ", ")
	if len(files) > 3 {
		what = fmt.Sprintf("%s and %d more", strings.Join(files[:3], ", "), len(files)-3)
	}
	h.watched("%s changed, building", what)
	reloaded := 0
	changed, err := watch.Build(ctx, root, serverPackage, output, func() error {
		count := func(string) { reloaded++ }
		if err := h.Reload(ctx, h.instances(isReady), count); err != nil {
			return err
		}
		// The change may have mended those that failed; if it has not, that is no news.
		if failed := h.instances(isFailed); len(failed) > 0 {
			_ = h.Restart(ctx, failed, count)
		}
		return nil
	})
	took := time.Since(begun).Round(time.Millisecond)
	switch {
	case ctx.Err() != nil:
	case err != nil && reloaded > 0:
		h.watched("%s changed: %d reloaded, then %v", what, reloaded, err)
	case err != nil:
		h.watched("%s changed: %v; the instances run on as they were", what, err)
	case !changed:
		h.watched("%s changed, the program did not", what)
	default:
		h.watched("%s changed: %d instances reloaded %v later", what, reloaded, took)
	}
}

func isReady(s supervise.State) bool  { return s == supervise.Ready }
func isFailed(s supervise.State) bool { return s == supervise.Failed }

// instances names those in such a state.
func (h *host) instances(in func(supervise.State) bool) []string {
	var names []string
	for _, t := range h.Targets() {
		if t.Kind == status.Instance && in(t.Process.State) {
			names = append(names, t.Name)
		}
	}
	return names
}

// watched notes what --watch did, for the log and for status.
func (h *host) watched(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	h.Note("watch: %s", text)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchNews = time.Now().Format("15:04:05 ") + text
}

func (h *host) lastWatched() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watchNews
}
