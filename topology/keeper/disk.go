package keeper

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// When the file system of the layout's folder counts as full, and how often that is looked at. What a layout writes
// between two looks, at its worst its logs, is less than that.
const (
	fullBelow = 4 << 20 // bytes
	diskEvery = time.Second
)

// disk knows whether there is room in the layout's folder.
type disk struct {
	dir  string
	mu   sync.Mutex
	full string // what there is to say; "": there is room
}

// problem says that the disk is full; "" if it is not.
func (d *disk) problem() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

// watch looks until ctx is done and notes every change.
func (d *disk) watch(ctx context.Context, note func(format string, args ...any)) {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		var fs unix.Statfs_t
		if err := unix.Statfs(d.dir, &fs); err == nil {
			d.look(fs.Bavail*uint64(fs.Bsize), fs.Ffree, note)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *disk) look(free, files uint64, note func(format string, args ...any)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	full := ""
	switch {
	case free < fullBelow:
		full = fmt.Sprintf("the disk under %s is full; logs and what is saved may get lost", d.dir)
	case files == 0:
		full = fmt.Sprintf("the disk under %s can't take another file; logs and what is saved may get lost", d.dir)
	}
	switch {
	case full != "" && d.full == "":
		note("disk: %s (%d kB left)", full, free>>10)
	case full == "" && d.full != "":
		note("disk: there is room again under %s (%d MB)", d.dir, free>>20)
	}
	d.full = full
}
