package balancer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/layout"
)

// Balancer is one program that shares load. Its methods keep no state: what differs from one running balancer
// to the next stands in the Site.
type Balancer interface {
	// Name is what people call it: "nginx".
	Name() string
	// Programs are names or paths under which its binary may be found.
	Programs() []string
	// Write translates the site's source into file and returns what that says about sharing load. What it
	// can't translate is an error that names the line of the source.
	Write(s *Site, file string) (*Config, error)
	// Check lets the program itself check the file.
	Check(ctx context.Context, s *Site, file string) error
	// Command starts the program with the site's file, in the foreground. TERM ends it.
	Command(s *Site) *exec.Cmd
	// Reload lets the running process with that pid, which it keeps, read the site's file anew, and returns when
	// it has. No request is lost.
	Reload(ctx context.Context, s *Site, pid int) error
	// Promise says of each group what may be expected of its shares, from the balancer's documents, its source or
	// by trying out the site's program.
	Promise(ctx context.Context, s *Site, c *Config) error
	// LogLine returns a line of its access log in the keys of the log_format of nginx.conf.
	LogLine(line []byte) []byte
	// Ask returns what the running balancer says of its servers. ErrCantAsk: it has nobody to ask.
	Ask(ctx context.Context, s *Site) (State, error)
}

// Dropper is a balancer that leaves lines out of its log rather than wait for it, and counts them.
type Dropper interface {
	// Dropped is how many lines the running balancer has left out since it was started or reloaded.
	Dropped(ctx context.Context, s *Site) (int64, error)
}

// ErrCantAsk is returned by a balancer that can't be asked for its state.
var ErrCantAsk = errors.New("this balancer can't be asked for its state")

// State is what a running balancer says of itself, by group.
type State map[string][]ServerState

// ServerState is one server as its balancer sees it.
type ServerState struct {
	Addr     string `json:"addr"`
	Weight   int    `json:"weight"`
	Requests int64  `json:"requests"` // given to it since the balancer was started or reloaded; -1: not counted
	Up       bool   `json:"up"`
}

// Site is where one running balancer has its place and what it is to do.
type Site struct {
	Program string            // path of the binary
	Source  string            // nginx.conf as it was written: the one place that says how load is shared
	Dir     string            // absolute; the folder of this balancer alone, for all that it writes
	File    string            // absolute; what the program reads, inside Dir
	Move    Move              // the ports of Source that are others here
	Changes map[string]Change // by group, what is not as in Source
	Down    map[int]bool      // ports of servers on this machine that are to get nothing for now
}

// plain are paths that no configuration reads as anything else.
var plain = regexp.MustCompile(`^[\w./+-]+$`)

// longestSocket is how long the path of a unix socket may be everywhere: sun_path has 104 bytes on macOS. A program
// may append something to it for a moment.
const longestSocket = 80

// Socket is where the balancer can be asked: in Dir, unless that path is too long for a socket, or a configuration may
// read it otherwise. Then it is a name in the system's folder for temporary files that is the same for every start in Dir.
func (s *Site) Socket() string {
	path := filepath.Join(s.Dir, "admin.sock")
	if len(path) <= longestSocket && plain.MatchString(path) {
		return path
	}
	sum := sha256.Sum256([]byte(s.Dir))
	return filepath.Join("/tmp", fmt.Sprintf("balancer-%d-%s.sock", os.Getuid(), hex.EncodeToString(sum[:8])))
}

// Clean removes the sockets that a balancer which has ended left outside Dir.
func (s *Site) Clean() {
	if strings.HasPrefix(s.Socket(), s.Dir+string(filepath.Separator)) {
		return
	}
	left, _ := filepath.Glob(s.Socket() + "*") // its name has no pattern
	for _, file := range left {
		_ = os.Remove(file)
	}
}

// reloadLimit is how long a balancer may take to read its configuration anew.
const reloadLimit = 10 * time.Second

// Await returns once done says that a balancer has read its configuration anew. Late is the error where it has not in time.
func Await(ctx context.Context, late error, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reloadLimit, late)
	defer cancel()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond): // there is no event
		}
	}
}

// SignalReload tells the process with that pid by a signal to read its configuration anew, and awaits that.
func SignalReload(ctx context.Context, name string, pid int, sig syscall.Signal, late error, done func() (bool, error)) error {
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("%s, pid %d: %w", name, pid, err)
	}
	return Await(ctx, late, done)
}

// Move says which ports are others than the source's.
type Move struct {
	Listen  map[int]int // where the balancer listens
	Servers map[int]int // of the servers on this machine

	// Hosts says where the servers on this machine are when the balancer runs elsewhere, as host:port by their port in
	// the source. It then listens on all addresses, and its errors go to its standard error.
	Hosts map[int]string
}

// Change is what has been changed in a group while it runs.
type Change struct {
	Method  string // in the words of the balancer; empty: the source's
	Weights []int  // in the order of the source's server lines; nil: the source's
}

// Moves says which ports change when a layout moves. Ports on which conf listens beside the layout's keep their
// distance from it.
func Moves(conf *Config, from, to *layout.Layout) (Move, error) {
	m := Move{Listen: map[int]int{}, Servers: map[int]int{}}
	for i := range from.Instances {
		m.Servers[from.Instances[i].Port] = to.Instances[i].Port
	}
	known := false
	for _, port := range conf.Listen {
		known = known || port == from.HTTPPort
		moved := port + to.HTTPPort - from.HTTPPort
		if moved < 1 || moved > 65535 {
			return m, fmt.Errorf("%s: port %d would move to %d, which is no port", conf.File, port, moved)
		}
		m.Listen[port] = moved
	}
	if !known {
		return m, fmt.Errorf("%s: nothing listens on port %d, which the layout gives as http_port", conf.File, from.HTTPPort)
	}
	return m, nil
}
