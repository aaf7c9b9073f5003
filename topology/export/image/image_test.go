package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// program makes a file that begins as a static program for a machine does.
func program(t *testing.T, machine elf.Machine) string {
	t.Helper()
	var b bytes.Buffer
	head := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 64}
	copy(head.Ident[:], []byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)})
	if err := binary.Write(&b, binary.LittleEndian, head); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, command := range Commands() {
		if err := os.WriteFile(filepath.Join(dir, command), append(b.Bytes(), command...), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t *testing.T, images []Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, "amd64", images); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The same programs give the same bytes, wherever and whenever they were built, and each is found by its name.
func TestWrite(t *testing.T) {
	var archives [4][]byte
	for i := range archives {
		images, err := FromFolder(program(t, elf.EM_X86_64), "amd64")
		if err != nil {
			t.Fatal(err)
		}
		archives[i] = write(t, images)
		if !bytes.Equal(archives[i], archives[0]) {
			t.Fatalf("archive %d has other bytes than the first", i)
		}
	}
	for _, command := range Commands() {
		tag, err := name.NewTag(Ref(command))
		if err != nil {
			t.Fatal(err)
		}
		img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archives[0])), nil }, &tag)
		if err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		file, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if file.Config.User != "65532:65532" || !slices.Equal(file.Config.Entrypoint, []string{"/bin/" + command}) || file.OS != "linux" {
			t.Errorf("%s: got %+v", tag, file.Config)
		}
		layers, err := img.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%s: %d layers, %v", tag, len(layers), err)
		}
		content, err := layers[0].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for r := tar.NewReader(content); ; {
			head, err := r.Next()
			if err != nil {
				break
			}
			names = append(names, head.Name)
		}
		if got, want := strings.Join(names, " "), strings.Join([]string{"bin/", "bin/" + command, "tmp/"}, " "); got != want {
			t.Errorf("%s: files %q, want %q", tag, got, want)
		}
	}
}

func TestFromFolderRefuses(t *testing.T) {
	other := program(t, elf.EM_AARCH64)
	if _, err := FromFolder(other, "amd64"); err == nil || !strings.Contains(err.Error(), "it is for EM_AARCH64, not for amd64") {
		t.Errorf("programs for other processors: %v", err)
	}
	if err := os.WriteFile(filepath.Join(other, "server"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := FromFolder(other, "arm64"); err == nil || !strings.Contains(err.Error(), "it is no program for Linux") {
		t.Errorf("a script: %v", err)
	}
	if _, err := FromFolder(t.TempDir(), "amd64"); err == nil {
		t.Error("an empty folder: no error")
	}
}

// A program of this machine comes with all libraries that it needs, and runs with nothing else.
func TestMachine(t *testing.T) {
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("no shell")
	}
	if err := checkStatic(sh, "amd64"); err == nil || !strings.Contains(err.Error(), "libraries") {
		t.Skip("the shell is no dynamic program for amd64")
	}
	i, err := Machine(sh, "SIGQUIT", "/bin/cat")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range i.Files {
		names = append(names, filepath.Base(f.Path))
	}
	if len(i.Files) < 4 || !slices.Contains(names, "cat") || !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "libc.") }) ||
		!slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "ld-linux") }) {
		t.Errorf("files of %s: %v, want cat, the C library and the loader with it", sh, names)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("a file is there twice: %v", names)
	}
}
