package image

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds the commands of the module in root for Linux on arch into dir: static, and without the names of this
// machine's folders in them.
func Build(ctx context.Context, root, arch, dir string) error {
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	for _, command := range Commands() {
		args = append(args, "./"+command)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w: %s", root, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// FromFolder are the images of the commands whose programs for arch are in dir.
func FromFolder(dir, arch string) ([]Image, error) {
	var images []Image
	for _, command := range Commands() {
		from := filepath.Join(dir, command)
		if err := checkStatic(from, arch); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		to := "/bin/" + command
		images = append(images, Image{Program: command, Files: []File{{Path: to, From: from}}, Path: to})
	}
	return images, nil
}

// machines are Go's names of what ELF numbers.
var machines = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"} //nolint:gochecknoglobals // constant

// checkStatic tells what keeps a program from running alone in an image.
func checkStatic(file, arch string) error {
	f, err := elf.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return os.ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("it is no program for Linux: %w", err)
	}
	defer func() { _ = f.Close() }()
	if machines[f.Machine] != arch {
		return fmt.Errorf("it is for %v, not for %s", f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it needs the libraries of this machine; CGO_ENABLED=0 builds one that doesn't")
		}
	}
	return nil
}
