package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"balanceo/topology/cli"
)

// findServer returns the server binary: given, or beside topology's own, or on the PATH.
func findServer(given string) (string, error) {
	if given != "" {
		return executable("--server-bin", given)
	}
	if own, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(own), "server")); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath("server"); err == nil {
		return filepath.Abs(path)
	}
	return "", cli.Hint(errors.New("the server binary is neither beside topology nor on the PATH"),
		"make build, or --server-bin FILE")
}

// findNginx returns the nginx binary: given, on the PATH, where systems put it, or where install-nginx.sh did.
func findNginx(given, runDir string) (string, error) {
	if given != "" {
		return executable("--nginx-bin", given)
	}
	for _, path := range []string{
		"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx",
		filepath.Join(runDir, "nginx-bin", "usr", "sbin", "nginx"),
	} {
		if found, err := exec.LookPath(path); err == nil {
			return filepath.Abs(found)
		}
	}
	return "", cli.Hint(errors.New("nginx is not installed"),
		"topology/install-nginx.sh installs it with this machine's package manager; or --nginx-bin FILE")
}

func executable(flag, path string) (string, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return "", cli.Usagef("%s %q: %w; accepted is the path of a program", flag, path, err)
	}
	abs, err := filepath.Abs(found)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return abs, nil
}
