// Package scoreboard counts the requests of one instance over all of its processes, living and dead.
//
// The counters lie in a file that every worker maps into its memory. A worker adds to a slot of its own, so
// counting costs an atomic addition and waits for nobody; whoever is asked for /metrics reads the slots of
// all. What a worker has counted outlives it, however it ended, and the restart of the whole instance.
//
// The file holds a header, then slots of one page each. Slot 0 takes up what is in the slots of long dead
// workers when all others are in use. The header also has what somebody else tells the whole instance while it
// runs: a delay for its answers, and how many workers it is to have.
//
// Where the file can't be had, because the disk is full for example, each process counts for itself alone: an
// instance serves with or without its scoreboard.
package scoreboard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"balanceo/topology/lock"
)

// Layout of the file. All words have eight bytes, in the machine's order: the file never leaves it.
const (
	magic      = "balanceo scores\x02" // the last byte is the version
	headerSize = 4096
	slotSize   = 4096
	slotCount  = 512
	fileSize   = headerSize + slotCount*slotSize
)

// lockLimit is how long to wait for another process that makes the file.
const lockLimit = 5 * time.Second

// Words of a slot; the request counters follow.
const (
	wordPID     = iota
	wordStarted // Unix time in nanoseconds
	wordOpen    // connections open now
	wordBeat    // grows as long as the process works
	wordDraws   // numbers drawn
	wordCounters
)

const slotWords = slotSize / 8

type slot [slotWords]uint64

// Board is the scoreboard of an instance, mapped into this process.
type Board struct {
	path   string
	labels labels
	file   *os.File
	shared bool // the file is that at path
	mem    []byte
}

// Open maps the scoreboard at path and creates it where it is missing. One that is damaged, or was made for
// other routes, is replaced by an empty one, which the log says; processes that still use the old one go on
// doing so. An empty path stands for memory that nobody else sees, and so does a path where there can be no
// scoreboard: the log says why.
func Open(path string, routes []string) (*Board, error) {
	b := &Board{path: path, labels: newLabels(routes)}
	if n := wordCounters + b.labels.counters(); n > slotWords {
		return nil, fmt.Errorf("scoreboard: %d routes need %d words, more than a slot has (%d)", len(routes), n, slotWords)
	}
	if path != "" {
		var err error
		if b.file, err = b.openShared(); err != nil {
			slog.Error("no scoreboard: this process counts for itself alone", "path", path, "error", Cause(err, filepath.Dir(path)))
		}
	}
	b.shared = b.file != nil
	if !b.shared {
		var err error
		if b.file, err = anonymousFile(); err != nil {
			return nil, fmt.Errorf("scoreboard: %w", err)
		}
		if err := b.format(b.file); err != nil {
			return nil, errors.Join(fmt.Errorf("scoreboard: %w", err), b.file.Close())
		}
	}
	mem, err := unix.Mmap(int(b.file.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("scoreboard: mapping %q: %w", b.file.Name(), err), b.file.Close())
	}
	b.mem = mem
	// Not by Close: a request that outlasts the draining is counted afterwards.
	runtime.AddCleanup(b, func(mem []byte) { _ = unix.Munmap(mem) }, mem)
	return b, nil
}

// Cause adds to an error what a full disk under dir is known by, so that it is looked for there.
func Cause(err error, dir string) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("the disk under %q is full: %w", dir, err)
	}
	return err
}

// Close gives back the slots that were taken. The memory stays as long as a Slot is in use.
func (b *Board) Close() error { return b.file.Close() }

// openShared opens the file at the path, or makes it.
func (b *Board) openShared() (*os.File, error) {
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return b.create()
	}
	if err != nil {
		return nil, err
	}
	if why := b.unusable(f); why != "" {
		slog.Warn("the scoreboard is replaced by an empty one", "path", b.path, "because", why)
		_ = f.Close()
		return b.create()
	}
	return f, nil
}

// create makes the file whole or not at all. Where several processes do so at once, the first one's stays;
// the others open that.
//
//nolint:contextcheck // lockLimit bounds the wait
func (b *Board) create() (*os.File, error) {
	dir := filepath.Dir(b.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	held, err := lock.Wait(context.Background(), b.path+".lock", lockLimit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = held.Close() }()
	// Another process may have made it while this one waited.
	if f, err := os.OpenFile(b.path, os.O_RDWR, 0); err == nil {
		if b.unusable(f) == "" {
			return f, nil
		}
		_ = f.Close()
	}
	f, err := os.CreateTemp(dir, filepath.Base(b.path)+".new-*")
	if err != nil {
		return nil, err
	}
	err = b.format(f)
	if err == nil {
		err = os.Rename(f.Name(), b.path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// header identifies the format, and by a hash the labels that the counters stand for.
func (b *Board) header() []byte {
	h := fnv.New64a()
	fmt.Fprint(h, b.labels.routes, methodNames(), codeNames(), slotCount, slotSize)
	return binary.NativeEndian.AppendUint64([]byte(magic), h.Sum64())
}

// format makes f an empty scoreboard. All of its space is reserved: a page that the disk has no room for when
// it is touched first would end the process.
func (b *Board) format(f *os.File) error {
	if err := reserve(f, fileSize); err != nil {
		return err
	}
	_, err := f.WriteAt(b.header(), 0)
	return err
}

// unusable says why f is not a scoreboard for these routes, "" if it is.
func (b *Board) unusable(f *os.File) string {
	if info, err := f.Stat(); err != nil {
		return err.Error()
	} else if info.Size() != fileSize {
		return fmt.Sprintf("it has %d bytes, not %d", info.Size(), fileSize)
	}
	want := b.header()
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil {
		return err.Error()
	}
	switch {
	case string(got[:len(magic)]) != magic:
		return "it does not begin as one"
	case string(got) != string(want):
		return "it counts other routes"
	}
	if err := reserve(f, fileSize); err != nil { // parts of it may be holes, in a copy for example
		return err.Error()
	}
	return ""
}

// slot is the memory of slot i. The mapping is page-aligned and a slot is a page, so it lies as a slot must.
func (b *Board) slot(i int) *slot {
	return (*slot)(unsafe.Pointer(&b.mem[headerSize+i*slotSize]))
}

func (s *slot) load(word int) uint64 { return atomic.LoadUint64(&s[word]) }

// used is how many slots to look at. They are taken in order and stay somebody's, so the first without a pid is
// the end; what lies behind is not touched, and takes up no memory.
func (b *Board) used() int {
	for i := 1; i < slotCount; i++ {
		if b.slot(i).load(wordPID) == 0 {
			return i
		}
	}
	return slotCount
}

// Slot is what one process adds to. Its methods may be called from any goroutine.
type Slot struct {
	board *Board
	words *slot
}

// Join takes a slot for this process, until the process ends.
func (b *Board) Join() (*Slot, error) {
	if err := takeByte(b.file, headerByte); err != nil {
		return nil, fmt.Errorf("scoreboard: locking %q: %w", b.path, err)
	}
	defer giveByte(b.file, headerByte)
	i, err := b.free()
	if err != nil {
		return nil, err
	}
	s := b.slot(i)
	clear(s[wordStarted:]) // the pid of an earlier owner stays until there is a new one: see used
	atomic.StoreUint64(&s[wordStarted], uint64(time.Now().UnixNano()))
	atomic.StoreUint64(&s[wordPID], uint64(os.Getpid()))
	return &Slot{board: b, words: s}, nil
}

// free finds a slot and locks it, which is what marks its owner as alive: the kernel unlocks it at the
// owner's end, whatever that is.
func (b *Board) free() (int, error) {
	oldest, oldestStart := 0, uint64(1<<63)
	for i := 1; i < slotCount; i++ {
		switch s := b.slot(i); {
		case s.load(wordPID) == 0:
			if tryByte(b.file, slotByte(i)) {
				return i, nil
			}
		case s.load(wordStarted) < oldestStart && !taken(b.file, slotByte(i)):
			oldest, oldestStart = i, s.load(wordStarted)
		}
	}
	if oldest == 0 || !tryByte(b.file, slotByte(oldest)) {
		return 0, fmt.Errorf("scoreboard: %q: all %d slots are in use", b.path, slotCount-1)
	}
	past, gone := b.slot(0), b.slot(oldest)
	for w := wordDraws; w < slotWords; w++ {
		atomic.AddUint64(&past[w], gone.load(w))
	}
	return oldest, nil
}

// alive tells whether the process that owns slot i lives.
func (b *Board) alive(i int, own *Slot) bool {
	s := b.slot(i)
	return own != nil && s == own.words || s.load(wordPID) != 0 && taken(b.file, slotByte(i))
}
