package attack

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"balanceo/loadgen/tally"
)

// conn is a connection that carries one request at a time, and the hit that is under way on it.
type conn struct {
	place int // of the conn in its loop
	fd    int // -1: not connected
	state connState
	tried int  // addresses that did not take the connection under way
	kept  bool // it has carried others before

	number uint64 // of the connection, unique in the attack, from 1

	hit    tally.Hit
	delay  delay
	wire   *wire
	out    []byte // the request; of which sent bytes were written
	sent   int
	again  bool // it was sent a second time
	answer answer
	in     []byte        // what has arrived and was not taken yet
	some   bool          // at least one byte of the answer came
	from   time.Duration // when connecting began
	idleAt time.Duration
}

type connState uint8

const (
	free connState = iota // no request is under way
	connecting
	writing
	reading
)

// edges is what a connection waits for: each change is told once, so that one call registers it for good.
const edges = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff

// post sends the hit that lies in the conn.
func (l *loop) post(c *conn) {
	h := &c.hit
	c.wire = &l.requests[h.Route]
	h.BytesOut = c.wire.body
	c.out = c.wire.write(c.out[:0], h.Number, h.Due < l.cfg.Schedule.Warmup)
	c.sent, c.again, c.some, c.tried = 0, false, false, 0
	c.answer.begin()
	c.kept = c.fd >= 0
	if c.kept {
		c.state = writing
		h.Conn = c.number
		l.write(c)
		return
	}
	l.connect(c)
}

// connect begins to connect to the next address.
func (l *loop) connect(c *conn) {
	c.from = l.now()
	c.state = connecting
	if l.unresolved != nil {
		l.finish(c, l.unresolved)
		return
	}
	addr := l.addrs[(l.good+c.tried)%len(l.addrs)]
	family := unix.AF_INET
	switch addr.(type) {
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	case *unix.SockaddrUnix:
		family = unix.AF_UNIX
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.finish(c, dialError{os.NewSyscallError("socket", err)})
		return
	}
	c.fd = fd
	if family != unix.AF_UNIX {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // without it requests are only slower
	}
	err = unix.Connect(fd, addr)
	if err == nil || errors.Is(err, unix.EINPROGRESS) {
		err = unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: edges, Fd: int32(c.place)})
	}
	if err != nil {
		l.refused(c, err)
	}
}

// connected looks how connecting ended.
func (l *loop) connected(c *conn) {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err != nil {
		l.refused(c, err)
		return
	}
	l.good = (l.good + c.tried) % len(l.addrs)
	c.tried = 0
	c.hit.Connect = max(l.now()-c.from, 1)
	if !l.cfg.NoKeepAlive {
		l.opened++
		c.number = l.opened*l.shards + l.index
		c.hit.Conn = c.number
	}
	c.state = writing
	l.write(c)
}

// refused tries the next address of the target's name, if it has one.
func (l *loop) refused(c *conn, err error) {
	l.disconnect(c)
	if c.tried++; c.tried < len(l.addrs) {
		l.connect(c)
		return
	}
	l.finish(c, dialError{os.NewSyscallError("connect", err)})
}

func (l *loop) write(c *conn) {
	for c.sent < len(c.out) {
		n, err := transfer(unix.SYS_SENDTO, c.fd, c.out[c.sent:])
		if err == unix.EAGAIN || err == unix.EINTR {
			return
		}
		if err != 0 {
			l.broken(c, os.NewSyscallError("write", err))
			return
		}
		c.sent += n
	}
	c.state = reading
}

// transfer sends or receives without telling Go's scheduler, as the call never waits. read and write would do more for the same.
func transfer(call uintptr, fd int, b []byte) (n int, err syscall.Errno) {
	r, _, err := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(r), err
}

// ready is called when something happened to the connection.
func (l *loop) ready(c *conn, events uint32) {
	switch {
	case c.state == connecting:
		l.connected(c)
	case c.state == writing && events&unix.EPOLLOUT != 0:
		l.write(c)
	}
	if events&^unix.EPOLLOUT != 0 && c.fd >= 0 && c.state != connecting {
		l.read(c, events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
	}
}

// read takes what has arrived. A short read has emptied the connection; ended tells that an end of it has
// arrived, too.
func (l *loop) read(c *conn, ended bool) {
	for {
		n, err := transfer(unix.SYS_RECVFROM, c.fd, l.buffer)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != 0:
			l.broken(c, os.NewSyscallError("read", err))
			return
		case n == 0:
			l.ended(c)
			return
		}
		if c.state == free {
			l.more(l.buffer[:n])
			l.disconnect(c)
		} else {
			l.arrived(c, l.buffer[:n])
		}
		if c.fd < 0 || n < len(l.buffer) && !ended {
			return
		}
	}
}

// more counts what nobody asked for, but for what servers say before they close a connection that was idle for too long.
func (l *loop) more(b []byte) {
	if version, rest, _ := bytes.Cut(b, []byte{' '}); !bytes.HasPrefix(version, []byte("HTTP/1.")) || !bytes.HasPrefix(rest, []byte("408")) {
		l.unasked++
	}
}

// arrived takes a piece of an answer. A connection on which more comes than belongs to the answer is not kept.
func (l *loop) arrived(c *conn, b []byte) {
	if !c.some {
		c.some = true
		c.hit.FirstByte = max(l.now()-c.hit.Sent, 1)
	}
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	used, err := c.answer.read(b, c.wire.head, l.cfg.wantsText())
	rest := b[used:]
	c.in = append(c.in[:0], rest...)
	switch {
	case err != nil:
		l.finish(c, err)
	case c.answer.part == complete:
		c.in = c.in[:0]
		if len(rest) > 0 {
			l.more(rest)
			c.answer.keep = false
		}
		l.finish(c, nil)
	}
}

// ended is called when the other side has ended the connection.
func (l *loop) ended(c *conn) {
	if c.state == free {
		l.disconnect(c)
	} else if err := c.answer.closed(); err != nil {
		l.broken(c, err)
	} else {
		l.finish(c, nil)
	}
}

// broken ends a request whose connection broke. A connection that was kept may have been closed by the server in
// the meantime, which shows only when it is used: then, as every HTTP client does (RFC 9112, section 9.3.1), a
// request that may be repeated is sent again, once, on a new connection.
func (l *loop) broken(c *conn, err error) {
	class := classify(err)
	if c.state != free && c.kept && c.wire.repeatable && !c.again && !c.some && (class == tally.EOF || class == tally.Reset) {
		l.disconnect(c)
		l.resent++
		c.again, c.kept, c.sent = true, false, 0
		l.connect(c)
		return
	}
	if c.state == free {
		l.disconnect(c)
		return
	}
	l.finish(c, err)
}

func (l *loop) disconnect(c *conn) {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
		c.fd = -1
	}
	c.in = c.in[:0]
}

// lookup finds the addresses of the target, or why there are none.
func (a *attack) lookup(ctx context.Context) (ips []net.IPAddr, port int, err error) {
	if a.cfg.Client.UnixSocket != "" {
		return nil, 0, nil
	}
	host, port, err := a.cfg.resolved()
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, min(a.cfg.Timeout, nameTimeout))
	defer cancel()
	ips, err = net.DefaultResolver.LookupIPAddr(ctx, host)
	return ips, port, err
}

// nameTimeout is how long a name server may take to answer.
const nameTimeout = 5 * time.Second

// sockaddrs are those addresses as the system takes them. Each belongs to one loop.
func (a *attack) sockaddrs(ips []net.IPAddr, port int) (out []unix.Sockaddr) {
	if path := a.cfg.Client.UnixSocket; path != "" {
		return []unix.Sockaddr{&unix.SockaddrUnix{Name: path}}
	}
	for _, ip := range ips {
		if ip4 := ip.IP.To4(); ip4 != nil {
			out = append(out, &unix.SockaddrInet4{Port: port, Addr: [4]byte(ip4)})
			continue
		}
		in6 := &unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.IP.To16())}
		if dev, err := net.InterfaceByName(ip.Zone); err == nil && ip.Zone != "" {
			in6.ZoneId = uint32(dev.Index)
		}
		out = append(out, in6)
	}
	return out
}
