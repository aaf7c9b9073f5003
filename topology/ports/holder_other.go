//go:build !linux

package ports

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// FindHolder names the process that listens on port, with lsof, which macOS and the BSDs have. False: none
// does, or it may not be looked at.
func FindHolder(port int) (Holder, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "lsof", "-nP", "-t", "-iTCP:"+strconv.Itoa(port), "-sTCP:LISTEN").Output()
	if err != nil {
		return Holder{}, false
	}
	first, _, _ := strings.Cut(string(out), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return Holder{}, false
	}
	command, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", first).Output()
	if err != nil {
		return Holder{}, false
	}
	return Holder{PID: pid, Command: strings.TrimSpace(string(command))}, true
}
