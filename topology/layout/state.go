package layout

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Environment of a command that `topology run` starts.
const (
	EnvTarget = "BALANCEO_TARGET" // ":PORT" of the layout's nginx
	EnvRun    = "BALANCEO_RUN"    // the folder to give to Running
	EnvRunID  = "BALANCEO_RUN_ID" // the id that a loadgen is to give to its run
)

// stateFile is the name of a State in its layout's folder.
const stateFile = "state.json"

// DefaultRunDir is where running layouts are looked for unless a flag says otherwise: $BALANCEO_RUN, else
// RunDir under the current folder.
func DefaultRunDir() string { return cmp.Or(os.Getenv(EnvRun), RunDir) }

// Write puts the state into its folder, whole or not at all.
func (s *State) Write() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("state of layout %q: %w", s.Layout, err)
	}
	if err := renameio.WriteFile(filepath.Join(s.Dir, stateFile), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("state of layout %q: %w", s.Layout, err)
	}
	return nil
}

// Remove takes the state away, as the last step of taking the layout down.
func (s *State) Remove() error {
	if err := os.Remove(filepath.Join(s.Dir, stateFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("state of layout %q: %w", s.Layout, err)
	}
	return nil
}

// Find returns the instance with that name or that port.
func (s *State) Find(nameOrPort string) (Instance, bool) { return find(s.Instances, nameOrPort) }

// Running lists the layouts under runDir that are alive now, by their HTTP port. A layout is alive while
// its control socket answers, so what a kill -9 or a power cut left behind is not listed. Damaged state
// files are passed over: they belong to no layout that lives.
func Running(runDir string) ([]State, error) {
	files, err := filepath.Glob(filepath.Join(quoteGlob(runDir), "*", stateFile))
	if err != nil {
		return nil, fmt.Errorf("running layouts in %q: %w", runDir, err)
	}
	var states []State
	for _, file := range files {
		s, err := readState(file)
		if err == nil && s.alive() {
			states = append(states, s)
		}
	}
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.HTTPPort, b.HTTPPort) })
	return states, nil
}

// quoteGlob makes a folder's name safe for filepath.Glob.
func quoteGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func readState(file string) (State, error) {
	var s State
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// alive dials the control socket: it is refused as soon as the process is gone, whatever became of its files.
func (s *State) alive() bool {
	if s.Control == "" {
		return false
	}
	c, err := net.DialTimeout("unix", s.Control, time.Second) //nolint:noctx // answered or refused at once
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// FindByTarget returns the running layout whose nginx answers at target: ":80", "host:80", a URL. A target
// on another machine belongs to none.
func FindByTarget(runDir, target string) (State, bool, error) {
	host, port, err := hostPort(target)
	if err != nil {
		return State{}, false, err
	}
	if !IsLocal(host) {
		return State{}, false, nil
	}
	states, err := Running(runDir)
	if err != nil {
		return State{}, false, err
	}
	for _, s := range states {
		if s.HTTPPort == port {
			return s, true, nil
		}
	}
	return State{}, false, nil
}

func hostPort(target string) (host string, port int, err error) {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", 0, fmt.Errorf("target: %w", err)
	}
	switch p := u.Port(); {
	case p != "":
		port, err = strconv.Atoi(p)
	case u.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("target %q: %q is no port", target, u.Port())
	}
	return u.Hostname(), port, nil
}

// IsLocal tells whether host means this machine: nothing, localhost, or an address of one of its interfaces.
func IsLocal(host string) bool {
	if host == "" || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}
