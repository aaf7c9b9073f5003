package ledger

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget gives the disk back what f has from begin to end. Offsets stay.
func forget(f *os.File, begin, end int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, begin, end-begin)
}
