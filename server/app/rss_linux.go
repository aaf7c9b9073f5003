package app

import (
	"fmt"
	"os"
)

// openRSS returns a reader of the process's resident memory in bytes. It keeps /proc/self/statm open: one
// pread is all that a request pays.
func openRSS() (func() int64, error) {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return nil, fmt.Errorf("resident memory: %w", err)
	}
	page := int64(os.Getpagesize())
	return func() int64 {
		var buf [128]byte
		n, _ := f.ReadAt(buf[:], 0) // ends with io.EOF: the file is shorter than buf
		return residentPages(buf[:n]) * page
	}, nil
}

// residentPages is the second number of /proc/PID/statm (proc(5)).
func residentPages(statm []byte) int64 {
	var pages int64
	field := 0
	for _, c := range statm {
		switch {
		case c == ' ':
			if field++; field == 2 {
				return pages
			}
		case field == 1 && c >= '0' && c <= '9':
			pages = pages*10 + int64(c-'0')
		}
	}
	return pages
}
