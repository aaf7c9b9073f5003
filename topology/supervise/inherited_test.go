package supervise

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestInheritedNothing(t *testing.T) {
	in, err := Inherited()
	if err != nil || len(in.Listeners) != 0 || in.ParentGone != nil {
		t.Errorf("Inherited() = %+v, %v, want nothing", in, err)
	}
	if err := in.Notify(); err != nil {
		t.Errorf("Notify without a supervisor = %v, want nil", err)
	}
}

func TestInheritedForAnother(t *testing.T) {
	t.Setenv(listenFDs, "2")
	t.Setenv(listenPID, strconv.Itoa(os.Getpid()+1))
	in, err := Inherited()
	if err != nil || len(in.Listeners) != 0 {
		t.Errorf("Inherited() = %+v, %v, want no listener: they are for another process", in, err)
	}
	for _, name := range []string{listenFDs, listenPID} {
		if v, ok := os.LookupEnv(name); ok {
			t.Errorf("%s=%s is still in the environment", name, v)
		}
	}
}

func TestInheritedRefuses(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{listenFDs, "many", `LISTEN_FDS="many" in the environment is not a number`},
		{listenFDs, "-1", "not a number from 0 on"},
		{listenFDs, "99999999999", "not a number"},
		{listenPID, "x", `LISTEN_PID="x"`},
		{readyFD, "2", "not a number from 3 on"},
		{readyFD, "60000", "READY_FD=60000: descriptor 60000 is not open"},
		{parentFD, "", "PARENT_FD"},
		{parentFD, "60000", "is not open"},
	} {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Setenv(tt.name, tt.value)
			if _, err := Inherited(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Inherited() = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNotifyAndParentGone(t *testing.T) {
	readyR, readyW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	parentR, parentW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer readyR.Close()
	// Inherited takes over the descriptors; these files must not close them.
	t.Setenv(readyFD, strconv.Itoa(dup(t, readyW)))
	t.Setenv(parentFD, strconv.Itoa(dup(t, parentR)))
	in, err := Inherited()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := in.Notify(); err != nil {
			t.Errorf("Notify = %v, want nil", err)
		}
	}
	line := make([]byte, 100)
	if n, _ := readyR.Read(line); string(line[:n]) != "ready\n" {
		t.Errorf("the supervisor reads %q, want one line, ready", line[:n])
	}
	select {
	case <-in.ParentGone:
		t.Error("ParentGone is closed while the parent lives")
	default:
	}
	_ = parentW.Close()
	<-in.ParentGone
}

// dup moves a file to a descriptor of its own and closes the file.
func dup(t *testing.T, f *os.File) int {
	t.Helper()
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
