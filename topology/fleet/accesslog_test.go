package fleet

import (
	"os"
	"path/filepath"
	"testing"

	"balanceo/topology/balancer"
	"balanceo/topology/supervise"
)

type reopened []int

func (r *reopened) Reopen(pid int) error {
	*r = append(*r, pid)
	return nil
}

// A log that is too large is moved, and the balancer told, only while there is one to tell.
func TestRotateAccessLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	front := &part{kind: Balancer, process: supervise.New(supervise.Spec{Name: "front"})}
	f := &Fleet{conf: &balancer.Config{AccessLog: path}, front: front}
	var told reopened
	if err := f.rotateAccessLog(&told, 10); err != nil || len(told) > 0 {
		t.Fatalf("without a log: got %v, %v", told, err)
	}
	if err := os.WriteFile(path, []byte("eleven byte"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.rotateAccessLog(&told, 10); err != nil || len(told) > 0 {
		t.Fatalf("while the balancer is stopped: got %v, %v", told, err)
	}
}
