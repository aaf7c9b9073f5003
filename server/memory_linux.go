package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// shedStart gives back the memory that only the start needed: garbage, and the pages of the executable that are
// mapped. Most of these belong to packages that this process never uses again (the database's, in a process that
// answers requests); the rest comes back from the page cache when it is run. What is not to be had is no error.
func shedStart() {
	debug.FreeOSMemory()
	executable, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var begin, end uintptr
		var access string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &begin, &end, &access); err != nil {
			return
		}
		if strings.HasSuffix(lines.Text(), " "+executable) && access[0] == 'r' && access[1] == '-' { // what is not written to
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED)
		}
	}
}
