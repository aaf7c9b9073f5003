package reconcile

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"balanceo/topology/layout"
)

// TestSampleTellsProcessesApart: the balancer's processes, whichever it is, are not counted as servers', and this process
// is neither, though "topology run" is its ancestor as well.
func TestSampleTellsProcessesApart(t *testing.T) {
	start := func(name string) int {
		path := filepath.Join(t.TempDir(), name)
		sleep, err := exec.LookPath("sleep")
		if err == nil {
			err = os.Symlink(sleep, path)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd.Process.Pid
	}
	server := start("server")
	for balancer, binary := range map[string]string{"nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "apache": "apache2"} {
		pid := start(binary)
		s, err := takeSample(&layout.State{PID: os.Getpid(), Balancer: balancer})
		if err != nil {
			t.Fatal(err)
		}
		_, shares := s.balancer[pid]
		_, serves := s.servers[pid]
		if _, known := s.servers[server]; !shares || serves || !known {
			t.Errorf("behind %s: %s among the balancer's processes %v, among the servers %v; the server among these %v", balancer, binary, shares, serves, known)
		}
	}
	s, err := takeSample(&layout.State{PID: os.Getppid(), Balancer: "nginx"})
	if err != nil {
		t.Fatal(err)
	}
	if _, counted := s.servers[os.Getpid()]; counted {
		t.Error("this process counts as a server")
	}
}
