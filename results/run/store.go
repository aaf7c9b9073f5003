package run

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// DefaultDir is where records lie, relative to the project's folder.
const DefaultDir = "results/runs"

// NewID makes an id that sorts by time and is unique: "20261123-151403-7f3a9c".
func NewID(started time.Time) string {
	var b [3]byte
	_, _ = rand.Read(b[:])
	return started.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(b[:])
}

// Write stores r as DIR/ID.json, whole or not at all, and returns the file's path.
func Write(dir string, r *Record) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make folder of run records %q: %w", dir, err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return "", fmt.Errorf("encode run record %q: %w", r.ID, err)
	}
	path := filepath.Join(dir, r.ID+".json")
	if err := renameio.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return "", fmt.Errorf("write run record %q: %w", path, err)
	}
	return path, nil
}
