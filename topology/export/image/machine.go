package image

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Machine is the image of a program of this machine, with the libraries that it is linked to: for tests, where no
// public image is to be had. Signal is what ends it without losing a request; others are programs that it is called by.
func Machine(program, signal string, others ...string) (Image, error) {
	base := filepath.Base(program)
	i := Image{Program: base, Path: "/bin/" + base, StopSignal: signal}
	for _, p := range append([]string{program}, others...) {
		file, err := filepath.EvalSymlinks(p)
		if err != nil {
			return Image{}, fmt.Errorf("program %q: %w", p, err)
		}
		i.Files = append(i.Files, File{Path: "/bin/" + filepath.Base(p), From: file})
		if err := i.link(file, libraryFolders()); err != nil {
			return Image{}, fmt.Errorf("program %q: %w", p, err)
		}
	}
	return i, nil
}

// libraryFolders are where the loader looks, on distributions that have been seen.
func libraryFolders() []string {
	triplet := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + "-linux-gnu"
	return []string{"/lib/" + triplet, "/usr/lib/" + triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"}
}

// link adds the loader and the libraries of the program or library in file.
func (i *Image) link(file string, folders []string) error {
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		text := make([]byte, p.Filesz)
		if _, err := p.ReadAt(text, 0); err != nil {
			return fmt.Errorf("name of its loader: %w", err)
		}
		if err := i.add(strings.TrimRight(string(text), "\x00"), folders); err != nil {
			return err
		}
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.ContainsFunc(i.Files, func(f File) bool { return filepath.Base(f.Path) == name }) {
			continue
		}
		at := slices.IndexFunc(folders, func(dir string) bool {
			_, err := filepath.EvalSymlinks(filepath.Join(dir, name))
			return err == nil
		})
		if at < 0 {
			return fmt.Errorf("library %s is in none of %s", name, strings.Join(folders, ", "))
		}
		if err := i.add(filepath.Join(folders[at], name), folders); err != nil {
			return err
		}
	}
	return nil
}

// add adds a library at its own path, with those that it needs itself.
func (i *Image) add(path string, folders []string) error {
	from, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(i.Files, func(f File) bool { return f.Path == path }) {
		return nil
	}
	i.Files = append(i.Files, File{Path: path, From: from})
	return i.link(from, folders)
}
