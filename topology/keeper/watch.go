package keeper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"balanceo/topology/fleet"
	"balanceo/topology/procs"
	"balanceo/topology/supervise"
	"balanceo/topology/watch"
)

const (
	serverPackage = "./server" // what is built
	builtFolder   = "built"    // where to, in the layout's folder: it overwrites nobody's program
)

// watcher builds server anew when its sources change, and reloads the instances if that succeeds.
type watcher struct {
	keeper *Keeper
	root   string
	builds int

	mu   sync.Mutex
	news string // what was done last
}

// startWatch begins to watch, where that is asked for, until end is called.
func (k *Keeper) startWatch(ctx context.Context) (end func()) {
	if k.watch == nil {
		return func() {}
	}
	return beside(ctx, func(ctx context.Context) {
		w := k.watch
		w.note("waits for changes of %s in %s", serverPackage, w.root)
		if err := watch.Run(ctx, watch.Config{Root: w.root, Package: serverPackage, Changed: w.changed}); err != nil {
			w.note("ended: %v", err)
		}
	})
}

// changed is called with the files that have changed.
func (w *watcher) changed(ctx context.Context, files []string) {
	begun := time.Now()
	what := strings.Join(files, ", ")
	if len(files) > 3 {
		what = fmt.Sprintf("%s and %d more", strings.Join(files[:3], ", "), len(files)-3)
	}
	w.note("%s changed, building", what)
	reloaded, err := w.rebuild(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil && reloaded > 0:
		w.note("%s changed: %d reloaded, then %v", what, reloaded, err)
	case err != nil:
		w.note("%s changed: %v; the instances run on as they were", what, err)
	case reloaded == 0:
		w.note("%s changed, the program that runs did not", what)
	default:
		w.note("%s changed: %d instances reloaded %v later", what, reloaded, time.Since(begun).Round(time.Millisecond))
	}
}

// rebuild builds the program and gives it to the instances that run another one. If one of them does not come up
// with it, later starts use the program of before.
func (w *watcher) rebuild(ctx context.Context) (reloaded int, err error) {
	k := w.keeper
	w.builds++ // each has a file of its own: what runs is never written to
	built := filepath.Join(k.cfg.Dir, builtFolder, fmt.Sprintf("server-%d", w.builds))
	if err := watch.Build(ctx, w.root, serverPackage, built); err != nil {
		return 0, err
	}
	running, failed, err := k.unlike(built)
	if err != nil || len(running)+len(failed) == 0 {
		_ = os.Remove(built)
		return 0, err
	}
	before := k.fleet.UseServer(built)
	count := func(string) { reloaded++ }
	if len(running) > 0 {
		err = k.fleet.Do(ctx, fleet.Action{Verb: fleet.Reload, Names: running, By: "watch"}, count)
	}
	if err != nil {
		k.fleet.UseServer(before)
		_ = os.Remove(built)
		return reloaded, err
	}
	if len(failed) > 0 { // the change may have mended them; if it has not, that is no news
		_ = k.fleet.Do(ctx, fleet.Action{Verb: fleet.Restart, Names: failed, By: "watch"}, count)
	}
	if filepath.Dir(before) == filepath.Dir(built) {
		_ = os.Remove(before)
	}
	return reloaded, nil
}

// unlike names the instances that run another program than file, and those that have failed.
func (k *Keeper) unlike(file string) (running, failed []string, err error) {
	want, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range k.fleet.Targets() {
		switch {
		case t.Kind != fleet.Instance:
		case t.Process.State == supervise.Failed:
			failed = append(failed, t.Name)
		case t.Process.State == supervise.Ready:
			// A program that can't be read, as on a system that does not tell, is another one.
			if text, err := procs.Program(t.Process.PID); err != nil || !bytes.Equal(text, want) {
				running = append(running, t.Name)
			}
		}
	}
	return running, failed, nil
}

// note tells what was done, for the log and for status.
func (w *watcher) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.keeper.fleet.Note("watch: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.news = time.Now().Format("15:04:05 ") + text
}

// last is what was done last; "" where nothing is watched.
func (w *watcher) last() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.news
}
