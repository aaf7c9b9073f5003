package supervise_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// stock is what a process can leak.
type stock struct{ goroutines, descriptors, children int }

func takeStock(t *testing.T) stock {
	t.Helper()
	s := stock{goroutines: runtime.NumGoroutine()}
	if runtime.GOOS != "linux" { // the rest is read from /proc
		return s
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	s.descriptors = len(fds)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		s.children += len(strings.Fields(string(children)))
	}
	return s
}
