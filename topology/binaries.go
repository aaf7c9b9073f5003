package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/known"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/cli"
)

// findServer returns the server binary: given, or beside topology's own, or on the PATH.
func findServer(given string) (string, error) {
	if given != "" {
		return executable("--server-bin", given)
	}
	if path := sibling("server"); path != "" {
		return filepath.Abs(path)
	}
	return "", cli.Hint(errors.New("the server binary is neither beside topology nor on the PATH"),
		"make build, or --server-bin FILE")
}

// findLoadgen returns the loadgen binary, "" where there is none.
func findLoadgen() string { return sibling("loadgen") }

// sibling is the binary of that name beside topology's own, or on the PATH, "" where it is neither.
func sibling(name string) string {
	if own, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(own), name)); err == nil {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// findBalancer returns the balancer that is asked for, else the layout's, and its binary: given, on the PATH, where
// systems put it, or where install-nginx.sh did.
func (f *upFlags) findBalancer(ofLayout, runDir string) (b balancer.Balancer, program string, err error) {
	if b, err = known.Named(cmp.Or(f.Balancer, ofLayout)); err != nil {
		return nil, "", cli.Usagef("--balancer %w", err)
	}
	given, flag := f.Program, "--balancer-bin"
	if given == "" && b.Name() == nginx.Name {
		given, flag = f.NginxBin, "--nginx-bin"
	}
	if given != "" {
		program, err = executable(flag, given)
		return b, program, err
	}
	for _, path := range append(b.Programs(), filepath.Join(runDir, "nginx-bin", "usr", "sbin", b.Name())) {
		if found, err := exec.LookPath(path); err == nil {
			program, err = filepath.Abs(found)
			return b, program, err
		}
	}
	return nil, "", cli.Hint(fmt.Errorf("%s is not installed", b.Name()),
		".ci/need %s installs it with this machine's package manager; or --balancer-bin FILE", b.Name())
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
