// Package control lets commands talk to the topology process that keeps a layout: HTTP over a unix socket
// in the layout's folder. Actions answer with lines while they go on and end with their outcome.
package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// longestSocket is how long the path of a unix socket may be everywhere: sun_path has 104 bytes on macOS, 108
// on Linux, the last one 0.
const longestSocket = 100

// SocketPath is where the control socket of the layout in dir stands: in dir, unless that path is too long for a
// socket. Then it is a name in the system's folder for temporary files that is the same for every start in dir.
func SocketPath(dir string) string {
	path := filepath.Join(dir, "control.sock")
	if len(path) <= longestSocket {
		return path
	}
	sum := sha256.Sum256([]byte(dir))
	name := fmt.Sprintf("topology-%d-%s.sock", os.Getuid(), hex.EncodeToString(sum[:8]))
	if path = filepath.Join(os.TempDir(), name); len(path) <= longestSocket {
		return path
	}
	return filepath.Join("/tmp", name)
}

// Listen listens on the control socket, for this user only. A socket that a crash left there is replaced: who
// calls it holds the lock of the layout's folder.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := net.Listen("unix", path) //nolint:noctx // it waits for nobody
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return ln, nil
}
