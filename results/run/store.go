package run

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// DefaultDir is where records lie, relative to the project's folder.
const DefaultDir = "results/runs"

const suffix = ".json"

// staleAfter is the age from which a temporary file can't belong to a writer that is still alive: writing
// a record takes milliseconds.
const staleAfter = time.Hour

// NewID makes an id that sorts by time and is unique: "20261123-151403-7f3a9c".
func NewID(started time.Time) string {
	var b [3]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%s-%x", started.UTC().Format("20060102-150405"), b)
}

// Write stores r as DIR/ID.json, whole or not at all, and returns the file's path. An earlier record of the
// same id is replaced. A record that Check refuses is not written, for no command could read it.
func Write(dir string, r *Record) (string, error) {
	current := *r
	current.Schema = Schema
	r = &current
	if err := r.Check(); err != nil {
		return "", fmt.Errorf("write run record %q: %w", r.ID, oneLine(err))
	}
	if err := makeDir(dir); err != nil {
		return "", err
	}
	removeStale(dir, time.Now())
	var data bytes.Buffer
	if err := WriteJSON(&data, r); err != nil {
		return "", fmt.Errorf("run record %q: %w", r.ID, err)
	}
	path := filepath.Join(dir, r.ID+suffix)
	// The temporary file lies beside the record, under a name with a leading dot that List passes over.
	if err := renameio.WriteFile(path, data.Bytes(), 0o644, renameio.WithTempDir(dir)); err != nil {
		return "", fmt.Errorf("write run record %q: %w", path, err)
	}
	return path, nil
}

// Writable makes the folder of records where there is none, and tells why nothing can be written there.
func Writable(dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".try*"+suffix)
	if err != nil {
		return fmt.Errorf("folder of run records %q: %w", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder of run records %q: %w", dir, err)
	}
	return nil
}

// removeStale removes what writers that were killed have left behind. It is no matter if that fails.
func removeStale(dir string, now time.Time) {
	left, _ := filepath.Glob(filepath.Join(dir, ".*"+suffix+"*"))
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > staleAfter {
			_ = os.Remove(path)
		}
	}
}

// Read reads one record.
func Read(path string) (*Record, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe would be waited for, a device has no end
		return nil, fmt.Errorf("read run record %q: is no regular file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read run record: %w", err)
	}
	r, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read run record %q: %w", path, err)
	}
	return r, nil
}

// Damaged is a file among the records that can't be read as one.
type Damaged struct {
	File string // name within the folder
	Err  error
}

// List reads all records of a folder, oldest first, and tells by name which files are none. A folder that does
// not exist holds no records.
func List(dir string) ([]*Record, []Damaged, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list run records: %w", err)
	}
	var damaged []Damaged
	files := map[string][]string{} // by id
	records := map[string]*Record{}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, suffix) {
			continue
		}
		r, err := Read(filepath.Join(dir, name))
		if err != nil {
			damaged = append(damaged, Damaged{name, err})
			continue
		}
		files[r.ID] = append(files[r.ID], name)
		if len(files[r.ID]) == 1 || name == r.ID+suffix {
			records[r.ID] = r
		}
	}
	for id, names := range files {
		damaged = append(damaged, duplicates(id, names)...)
	}
	slices.SortFunc(damaged, func(a, b Damaged) int { return strings.Compare(a.File, b.File) })
	runs := slices.SortedFunc(maps.Values(records), func(a, b *Record) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.ID, b.ID))
	})
	return runs, damaged, nil
}

// duplicates keeps one file of an id, the one named after it or else the first by name, and complains of the
// others: counting a run twice would make a comparison look surer than it is.
func duplicates(id string, names []string) []Damaged {
	kept := names[0]
	if slices.Contains(names, id+suffix) {
		kept = id + suffix
	}
	var damaged []Damaged
	for _, name := range names {
		if name != kept {
			damaged = append(damaged, Damaged{name, fmt.Errorf("holds the run %q once more, which %q holds", id, kept)})
		}
	}
	return damaged
}
