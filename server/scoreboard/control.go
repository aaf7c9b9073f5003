package scoreboard

import (
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Words of the header, after what identifies the format.
const (
	wordDelay   = 8 + iota // of each answer, in nanoseconds
	wordWanted             // workers that the master is to have
	wordReady              // workers that it has, ready and not told to end
	wordSparing            // until then (Unix time in nanoseconds) no silent worker is replaced
)

// control is the part of the header that is told and asked while the instance runs.
type control [headerSize / 8]uint64

func controlOf(mem []byte) *control { return (*control)(unsafe.Pointer(&mem[0])) }

func (c *control) load(word int) uint64         { return atomic.LoadUint64(&c[word]) }
func (c *control) store(word int, value uint64) { atomic.StoreUint64(&c[word], value) }

// SetDelay makes the instance whose scoreboard lies at path answer each request later by d, except /healthz and
// /metrics. It takes effect at once, for every worker; 0 ends it.
func SetDelay(path string, d time.Duration) error {
	return change(path, func(c *control) { c.store(wordDelay, uint64(max(d, 0))) })
}

// SetWorkers says how many workers the master is to have whose scoreboard lies at path. The master looks at it
// when it gets the signal USR1.
func SetWorkers(path string, n int) error {
	return change(path, func(c *control) { c.store(wordWanted, uint64(n)) })
}

// Spare keeps workers that do not answer from being replaced until then, because somebody holds them up on
// purpose.
func Spare(path string, until time.Time) error {
	return change(path, func(c *control) { c.store(wordSparing, uint64(until.UnixNano())) })
}

// Workers tells how many workers the master whose scoreboard lies at path is to have, and how many of these are
// ready. Workers that still drain are not among them.
func Workers(path string) (wanted, ready int, err error) {
	err = change(path, func(c *control) { wanted, ready = int(c.load(wordWanted)), int(c.load(wordReady)) })
	return wanted, ready, err
}

// change maps the header of the scoreboard at path for as long as the function runs.
func change(path string, how func(*control)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("scoreboard: %w", err)
	}
	defer f.Close()
	var head [len(magic)]byte
	if info, err := f.Stat(); err != nil {
		return fmt.Errorf("scoreboard: %w", err)
	} else if _, err := f.ReadAt(head[:], 0); err != nil || string(head[:]) != magic || info.Size() != fileSize {
		return fmt.Errorf("scoreboard: %q is none", path)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, headerSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("scoreboard: mapping %q: %w", path, err)
	}
	how(controlOf(mem))
	return unix.Munmap(mem)
}

// Delay is what SetDelay said last.
func (b *Board) Delay() time.Duration { return time.Duration(controlOf(b.mem).load(wordDelay)) }

// Wanted is what SetWorkers said last.
func (b *Board) Wanted() int { return int(min(controlOf(b.mem).load(wordWanted), math.MaxInt32)) }

// SetWanted is SetWorkers on a board that is open.
func (b *Board) SetWanted(n int) { controlOf(b.mem).store(wordWanted, uint64(n)) }

// SetReady says how many workers are ready, for Workers.
func (b *Board) SetReady(n int) { controlOf(b.mem).store(wordReady, uint64(n)) }

// Sparing tells until when Spare keeps silent workers from being replaced.
func (b *Board) Sparing() time.Time { return time.Unix(0, int64(controlOf(b.mem).load(wordSparing))) }

// Beat says that this process works. Others see by Beats whether it goes on doing so.
func (s *Slot) Beat() { atomic.AddUint64(&s.words[wordBeat], 1) }

// Beats counts what the living process with that pid has said by Beat; ok is false where there is none.
func (b *Board) Beats(pid int) (beats uint64, ok bool) {
	for i := range b.used() {
		if s := b.slot(i); i > 0 && s.load(wordPID) == uint64(pid) && b.alive(i, nil) {
			return s.load(wordBeat), true
		}
	}
	return 0, false
}
