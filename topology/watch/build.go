package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds the package of the module in root into output and lets use try it; if that fails it puts
// the program of before back. Changed is false, and use is not called, when the new program is the old
// one. A build that fails leaves output as it is; so does a use that fails.
func Build(ctx context.Context, root, pkg, output string, use func() error) (changed bool, err error) {
	next, before := output+".next", output+".before"
	defer func() { _ = os.Remove(next) }() // gone already when it was used
	cmd := exec.CommandContext(ctx, "go", "build", "-o", next, pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return false, fmt.Errorf("build failed: %s", firstComplaint(out, err))
	}
	same, err := equal(next, output)
	if err != nil || same {
		return false, err
	}
	if err := os.Remove(before); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("build: %w", err)
	}
	if err := os.Link(output, before); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("build: %w", err)
	}
	if err := os.Rename(next, output); err != nil {
		return false, fmt.Errorf("build: %w", err)
	}
	if err := use(); err != nil {
		// A process that crashes now must not be started from the program that does not work.
		if back := os.Rename(before, output); back != nil {
			return true, errors.Join(err, back)
		}
		return true, err
	}
	_ = os.Remove(before)
	return true, nil
}

// firstComplaint picks the first error out of what the go command says.
func firstComplaint(out []byte, err error) string {
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return err.Error()
}

func equal(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, fmt.Errorf("build: %w", err)
	}
	y, err := os.ReadFile(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("build: %w", err)
	}
	return bytes.Equal(x, y), nil
}

// ModuleRoot returns the folder of the module that dir is in.
func ModuleRoot(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is in no Go module", abs)
		}
	}
}
