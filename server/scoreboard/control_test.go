package scoreboard

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	if err := SetDelay(path, time.Second); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SetDelay without a scoreboard: got %v, want that there is none", err)
	}
	b := open(t, path).board
	until := time.Now().Add(time.Minute)
	for _, err := range []error{SetDelay(path, 200*time.Millisecond), SetWorkers(path, 3), Spare(path, until)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.SetReady(2)
	if got := b.Delay(); got != 200*time.Millisecond {
		t.Errorf("Delay: got %v", got)
	}
	if got := b.Sparing(); !got.Equal(until) {
		t.Errorf("Sparing: got %v, want %v", got, until)
	}
	if wanted, ready, err := Workers(path); wanted != 3 || ready != 2 || err != nil || b.Wanted() != 3 {
		t.Errorf("Workers: got %d, %d, %v, want 3, 2", wanted, ready, err)
	}
	if err := SetDelay(path, 0); err != nil || b.Delay() != 0 {
		t.Errorf("SetDelay(0): got %v, %v", b.Delay(), err)
	}
	other := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(other, make([]byte, fileSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SetDelay(other, 0); err == nil {
		t.Error("SetDelay on a file that is no scoreboard: no error")
	}
}

func TestBeats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	c := startChild(t, path)
	b := open(t, path).board
	if beats, ok := b.Beats(c.cmd.Process.Pid); beats != 0 || !ok {
		t.Errorf("Beats of a living child: got %d, %v", beats, ok)
	}
	c.kill()
	if _, ok := b.Beats(c.cmd.Process.Pid); ok {
		t.Error("a dead child has beats")
	}
	own := open(t, filepath.Join(t.TempDir(), "scores"))
	own.Beat()
	own.Beat()
	another, err := Open(own.board.path, testRoutes)
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	if beats, ok := another.Beats(os.Getpid()); beats != 2 || !ok {
		t.Errorf("Beats after two: got %d, %v", beats, ok)
	}
}

// limitVar makes the test binary open a board where a file can't be that long, as on a full disk.
const limitVar = "SCOREBOARD_TEST_LIMIT"

func openWithoutSpace(path string) error {
	limit := unix.Rlimit{Cur: fileSize / 2, Max: fileSize / 2}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	b := &Board{path: path, labels: newLabels(testRoutes)}
	if f, err := b.create(); f != nil || err == nil {
		return errors.New("create without space: no error")
	}
	if left, _ := filepath.Glob(path + ".new-*"); len(left) > 0 {
		return errors.New("create left " + left[0])
	}
	return nil
}

func TestCreateWithoutSpaceIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	out, err := childCommand(limitVar + "=" + path).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWithoutScoreboardCountingGoesOn(t *testing.T) {
	log := captureLog(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(file, "scores"))
	s.Count([]byte("/info"), []byte("GET"), 200)
	has(t, s, `balanceo_requests_total{route="/info",method="GET",code="2xx"} 1`, "balanceo_scoreboard_shared 0", "balanceo_workers 1")
	if !strings.Contains(log.String(), "no scoreboard") {
		t.Errorf("log %q, want that there is no scoreboard", log)
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	err := Cause(&os.PathError{Op: "write", Path: "/x/y", Err: syscall.ENOSPC}, "/x")
	if !strings.Contains(err.Error(), `the disk under "/x" is full`) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

// A board made by somebody who did not reserve its space, or copied without it, has it once it is open.
func TestHolesAreFilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	b := &Board{labels: newLabels(testRoutes)}
	if err := os.WriteFile(path, b.header(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, fileSize); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	if got := stat.Blocks * 512; got < fileSize {
		t.Errorf("%d bytes are reserved, want %d", got, fileSize)
	}
}

func TestCountAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	b, err := Open(path, testRoutes)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Join()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	s.Count([]byte("/info"), []byte("GET"), 200) // of a request that outlasted the draining
	if text, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(text, []byte(magic)) {
		t.Errorf("the board afterwards: %v", err)
	}
	if n := requests(open(t, path)); n != 1 {
		t.Errorf("%d requests counted, want the late one", n)
	}
}
