// Package image makes container images of this project's commands, without a daemon and without a registry: one
// archive that docker, containerd, podman, kind and minikube load. The same programs give the same bytes.
//
//	build.go    the commands, built static for Linux
//	machine.go  a program of this machine with the libraries that it needs
//	image.go    files into images, images into the archive
package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Tag is that of every image here. It is fixed: manifests that name it don't change with each build.
const Tag = "v1"

// User runs the programs of all images: nobody that any machine knows.
const User = 65532

// Commands are the programs that have an image.
func Commands() []string { return []string{"server", "topology", "loadgen", "results"} }

// Ref is what manifests call the image of a program.
func Ref(program string) string { return "balanceo/" + program + ":" + Tag }

// Image is a program and what it needs, for one architecture.
type Image struct {
	Program    string
	Files      []File
	Path       string // of the program in the image
	StopSignal string // what ends it without losing a request; empty: TERM
}

// File is a file of an image.
type File struct {
	Path string // in the image, absolute
	From string // on this machine
}

// Write puts the images, for the architecture arch in Go's words, into an archive.
func Write(w io.Writer, arch string, images []Image) error {
	all := map[name.Reference]v1.Image{}
	for _, i := range images {
		ref, err := name.NewTag(Ref(i.Program))
		if err != nil {
			return fmt.Errorf("image of %s: %w", i.Program, err)
		}
		if all[ref], err = i.build(arch); err != nil {
			return fmt.Errorf("image of %s: %w", i.Program, err)
		}
	}
	if err := archive(w, all); err != nil {
		return fmt.Errorf("archive of images: %w", err)
	}
	return nil
}

// archive writes images with their files by name: the library writes them in any order.
func archive(w io.Writer, all map[name.Reference]v1.Image) error {
	spool, err := os.CreateTemp("", "balanceo-images-*")
	if err != nil {
		return err
	}
	defer func() {
		_ = spool.Close()
		_ = os.Remove(spool.Name())
	}()
	if err := tarball.MultiRefWrite(all, spool); err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	type entry struct {
		*tar.Header
		data *io.SectionReader
	}
	var entries []entry
	for in := tar.NewReader(spool); ; {
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		at, err := spool.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		entries = append(entries, entry{head, io.NewSectionReader(spool, at, head.Size)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.Name, b.Name) })
	out := tar.NewWriter(w)
	for _, e := range entries {
		if err := out.WriteHeader(e.Header); err != nil {
			return err
		}
		if _, err := io.Copy(out, e.data); err != nil {
			return err
		}
	}
	return out.Close()
}

// build makes the image, of one layer. It has no time in it.
func (i Image) build(arch string) (v1.Image, error) {
	layer, err := i.layer()
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1),
		static.NewLayer(layer, types.OCIUncompressedLayer))
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	file.Config = v1.Config{
		User: strconv.Itoa(User) + ":" + strconv.Itoa(User), WorkingDir: "/", Entrypoint: []string{i.Path}, StopSignal: i.StopSignal,
		Labels: map[string]string{"org.opencontainers.image.title": "balanceo/" + i.Program, "org.opencontainers.image.version": Tag},
	}
	return mutate.ConfigFile(img, file)
}

// layer is a tar of the files with their folders, the same for the same contents.
func (i Image) layer() ([]byte, error) {
	files := slices.SortedFunc(slices.Values(i.Files), func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{".": true}
	for _, f := range files {
		target := strings.TrimPrefix(path.Clean(f.Path), "/")
		if err := folders(w, path.Dir(target), made); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(f.From)
		if err != nil {
			return nil, err
		}
		err = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: target, Mode: 0o755, Size: int64(len(data)), Format: tar.FormatUSTAR})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		if _, err := w.Write(data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	// For a container whose root file system can be written; where it can't, something is mounted there.
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, Format: tar.FormatUSTAR}); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// folders adds the folder dir and those that it is in.
func folders(w *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	made[dir] = true
	if err := folders(w, path.Dir(dir), made); err != nil {
		return err
	}
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, Format: tar.FormatUSTAR})
}
