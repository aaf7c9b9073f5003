package bench

import (
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// runFloor is the least that a client can do: one thread that sleeps until a request is due, writes it, and reads the
// answer, and nothing else. It prints how many requests were answered.
func runFloor(setting string) error {
	var addr, text string
	var rate, hits int
	if _, err := fmt.Sscan(setting, &addr, &rate, &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File() // whose reads wait in the system, not in Go's poller
	if err != nil {
		return err
	}
	defer file.Close()
	fd := int(file.Fd())
	if err := unix.SetNonblock(fd, false); err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return err
	}
	request, answer := []byte("GET / HTTP/1.1\r\nHost: "+addr+"\r\n\r\n"), make([]byte, 4096)
	for began := time.Now(); time.Since(began) < d; hits++ {
		wait := unix.NsecToTimespec(int64(time.Duration(hits)*time.Second/time.Duration(rate) - time.Since(began)))
		_ = unix.Nanosleep(&wait, nil) // one that is over returns at once
		if _, err := unix.Write(fd, request); err != nil {
			return err
		}
		if n, err := unix.Read(fd, answer); n == 0 || err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
	}
	fmt.Print(hits)
	return nil
}
