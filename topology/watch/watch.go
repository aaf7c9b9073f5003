// Package watch builds a program anew when its sources change.
//
// What the sources are is asked of the go command: the files of the program's packages in its own module, and
// the files embedded in them. Folders that it is not built from are never looked at, so logs, records and
// binaries can't start a build.
package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Config says what to watch and what to do.
type Config struct {
	Root    string // folder of the module
	Package string // of the program, as "./server"
	// Changed is called with the names of changed files, relative to Root, once they have been quiet for a
	// moment. While it runs, further changes are collected for the next call.
	Changed func(ctx context.Context, files []string)
}

// Times between a change and the call of Changed. An editor that saves writes several times, and a switch of
// branches many files.
const (
	quiet   = 200 * time.Millisecond
	longest = 2 * time.Second
)

// Run watches until ctx is done. Nil then.
func Run(ctx context.Context, cfg Config) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer func() { _ = w.Close() }()
	src, err := sources(ctx, cfg)
	if err != nil {
		return err
	}
	if err := src.follow(w); err != nil {
		return err
	}
	return loop(ctx, cfg, w, src)
}

func loop(ctx context.Context, cfg Config, w *fsnotify.Watcher, src *tree) error {
	pending := map[string]bool{}
	var first time.Time
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			return fmt.Errorf("watch: %w", err)
		case e := <-w.Events:
			if !src.counts(e) {
				continue
			}
			if len(pending) == 0 {
				first = time.Now()
			}
			name, err := filepath.Rel(cfg.Root, e.Name)
			if err != nil {
				name = e.Name
			}
			pending[name] = true
			timer.Reset(max(0, min(quiet, longest-time.Since(first))))
		case <-timer.C:
			files := slices.Sorted(maps.Keys(pending))
			clear(pending)
			cfg.Changed(ctx, files)
			// A change may have brought packages and embedded files. Sources that can't be listed now are
			// broken, as the build has said; those of before are watched until they are mended.
			if next, err := sources(ctx, cfg); err == nil {
				src = next
				if err := src.follow(w); err != nil {
					return err
				}
			}
		}
	}
}

// tree is what a program is built from.
type tree struct {
	root    string
	folders []string        // with Go files
	assets  map[string]bool // folders with embedded files
}

// sources asks the go command.
func sources(ctx context.Context, cfg Config) (*tree, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-deps", "-json=Dir,Standard,Module,EmbedFiles", cfg.Package)
	cmd.Dir = cfg.Root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("watch: go list: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	t := &tree{root: cfg.Root, assets: map[string]bool{}}
	in := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			Dir        string
			Standard   bool
			Module     *struct{ Main bool }
			EmbedFiles []string
		}
		err := in.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("watch: go list: %w", err)
		}
		if p.Standard || p.Module == nil || !p.Module.Main || p.Dir == "" {
			continue
		}
		t.folders = append(t.folders, p.Dir)
		for _, f := range p.EmbedFiles {
			t.assets[filepath.Dir(filepath.Join(p.Dir, f))] = true
		}
	}
	if len(t.folders) == 0 {
		return nil, fmt.Errorf("watch: %s in %s has no sources", cfg.Package, cfg.Root)
	}
	return t, nil
}

// follow makes w watch the tree's folders besides those that it watches.
func (t *tree) follow(w *fsnotify.Watcher) error {
	for _, f := range slices.AppendSeq(append([]string{t.root}, t.folders...), maps.Keys(t.assets)) {
		if err := w.Add(f); err != nil {
			return fmt.Errorf("watch %q: %w", f, err)
		}
	}
	return nil
}

// counts tells whether e changes what the program is built from.
func (t *tree) counts(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod || temporary(filepath.Base(e.Name)) {
		return false
	}
	dir, base := filepath.Dir(e.Name), filepath.Base(e.Name)
	switch {
	case dir == t.root && (base == "go.mod" || base == "go.sum"):
		return true
	case t.assets[dir]:
		return !strings.HasSuffix(base, ".go") || isSource(base)
	case slices.Contains(t.folders, dir):
		return isSource(base)
	}
	return false
}

func isSource(base string) bool {
	return strings.HasSuffix(base, ".go") && !strings.HasSuffix(base, "_test.go")
}

// temporary tells whether an editor has made the file for itself: Vim's swap files and its probe 4913, Emacs's
// locks and autosaves, JetBrains's safe writes, backups.
func temporary(base string) bool {
	ends := []string{"~", ".swp", ".swx", ".tmp", ".bak", ".orig", "___jb_tmp___", "___jb_old___"}
	return strings.HasPrefix(base, ".") || strings.HasPrefix(base, "#") || base == "4913" ||
		slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(base, end) })
}
