package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/jessevdk/go-flags"

	"balanceo/topology/balancer/haproxy"
	"balanceo/topology/balancer/nginx"
	"balanceo/topology/cli"
	"balanceo/topology/export/image"
	"balanceo/topology/export/kubernetes"
	"balanceo/topology/layout"
	"balanceo/topology/watch"
)

// addExport adds the commands under export.
func addExport(parser *flags.Parser, commands map[string]command) {
	export, err := parser.AddCommand("export", "Take the layout elsewhere",
		"Prints what a cluster needs to run the same layout.", &struct{}{})
	must(export, err)
	add := func(name, short, long string, c command) {
		must(export.AddCommand(name, short, long, c))
		commands["export "+name] = c
	}
	add("kubernetes", "Print the layout as manifests",
		"Prints the layout as manifests of Kubernetes (1.30 or later), for kubectl apply -f -. The images are those of "+
			"topology export image.", &exportKubernetes{})
	add("image", "Write the images that the manifests name",
		"Builds the four commands for Linux and writes them as images into an archive, which docker load, podman load, "+
			"kind load image-archive, minikube image load and ctr images import read. No daemon is needed, and the same "+
			"source gives the same bytes.", &exportImage{})
}

type exportImage struct {
	Output      string `short:"o" long:"output" value-name:"FILE" required:"true" description:"the archive to write"`
	Arch        string `long:"arch" value-name:"ARCH" description:"processors of the cluster's nodes: amd64 or arm64 (default: this machine's)"`
	Programs    string `long:"programs" value-name:"DIR" description:"take the four programs from here, static ones for Linux, instead of building them"`
	WithNginx   bool   `long:"with-nginx" description:"add an image of this machine's nginx, for clusters that can't get the public one"`
	WithHAProxy bool   `long:"with-haproxy" description:"likewise of this machine's haproxy"`
}

func (c *exportImage) run(ctx context.Context, s *session, _ []string) error {
	arch := cmp.Or(c.Arch, runtime.GOARCH)
	if arch != "amd64" && arch != "arm64" {
		return cli.Usagef("--arch %q: amd64 or arm64 is accepted", arch)
	}
	if info, err := os.Lstat(c.Output); err == nil && !info.Mode().IsRegular() { // else it would be replaced, as /dev/stdout
		return cli.Usagef("--output %q: is no regular file, which is accepted", c.Output)
	}
	images, cleanUp, err := c.programs(ctx, arch)
	if err != nil {
		return err
	}
	defer cleanUp()
	ours, err := c.balancers(arch, s.common.runDir())
	if err != nil {
		return err
	}
	images = append(images, ours...)
	out, err := renameio.TempFile("", c.Output)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() { _ = out.Cleanup() }()
	if err := image.Write(out, arch, images); err != nil {
		return err
	}
	if err := errors.Join(out.Chmod(0o644), out.CloseAtomicallyReplace()); err != nil {
		return fmt.Errorf("--output %s: %w", c.Output, err)
	}
	for _, i := range images {
		fmt.Fprintln(s.stdout, image.Ref(i.Program))
	}
	return nil
}

// balancers are the images of this machine's balancers that are asked for.
func (c *exportImage) balancers(arch, runDir string) (images []image.Image, err error) {
	for _, b := range []struct {
		asked        bool
		name, signal string
		with         []string
	}{
		{c.WithNginx, nginx.Name, "SIGQUIT", nil},
		{c.WithHAProxy, haproxy.Name, "SIGUSR1", []string{"/bin/sh"}}, // which writes its log into a file
	} {
		if !b.asked {
			continue
		}
		if arch != runtime.GOARCH || runtime.GOOS != "linux" {
			return nil, cli.Usagef("--with-%s: this machine's %s is none for Linux on %s", b.name, b.name, arch)
		}
		_, program, err := (&upFlags{Balancer: b.name}).findBalancer("", runDir)
		if err != nil {
			return nil, err
		}
		i, err := image.Machine(program, b.signal, b.with...)
		if err != nil {
			return nil, err
		}
		images = append(images, i)
	}
	return images, nil
}

// programs are the images of the four commands, built here unless their programs are given.
func (c *exportImage) programs(ctx context.Context, arch string) (images []image.Image, cleanUp func(), err error) {
	if c.Programs != "" {
		images, err = image.FromFolder(c.Programs, arch)
		return images, func() {}, err
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, nil, cli.Hint(err, "run it in the project's folder, or give --programs DIR")
	}
	dir, err := os.MkdirTemp("", "balanceo-image-*")
	if err != nil {
		return nil, nil, err
	}
	cleanUp = func() { _ = os.RemoveAll(dir) }
	if err = image.Build(ctx, root, arch, dir); err == nil {
		images, err = image.FromFolder(dir, arch)
	}
	if err != nil {
		cleanUp()
		return nil, nil, err
	}
	return images, cleanUp, nil
}

// moduleRoot is the project's folder: the one here, or that above topology's own binary in bin/.
func moduleRoot() (string, error) {
	root, err := watch.ModuleRoot(".")
	if err == nil {
		return root, nil
	}
	if own, ownErr := os.Executable(); ownErr == nil {
		if root, ownErr := watch.ModuleRoot(filepath.Dir(own)); ownErr == nil {
			return root, nil
		}
	}
	return "", err
}

type exportKubernetes struct {
	Layout       layoutName        `short:"l" long:"layout" value-name:"NAME|FILE" default:"seed" description:"a built-in layout (cluster, fork, seed, single) or the path of a YAML file"`
	Replicas     map[string]string `long:"replicas" value-name:"NAME=N" key-value-delimiter:"=" description:"pods of an instance (default: 1); may be repeated"`
	Balancer     string            `long:"balancer" value-name:"NAME" description:"nginx, haproxy, or service: what Kubernetes does itself (default: the layout's, nginx)"`
	NginxImage   string            `long:"nginx-image" value-name:"IMAGE" description:"of nginx (default: the public one, nginx:1.28.0)"`
	HAProxyImage string            `long:"haproxy-image" value-name:"IMAGE" description:"of haproxy (default: the public one, haproxy:3.0.5)"`
	StorageClass string            `long:"storage-class" value-name:"NAME" description:"keep the embedded database on a claim of this class (default: a folder that is gone with its pod)"`
	StorageSize  string            `long:"storage-size" value-name:"SIZE" default:"1Gi" description:"of that claim"`
	Loadgen      int               `long:"loadgen" value-name:"N" description:"add a load of N generators"`
	Rate         string            `long:"rate" value-name:"N" description:"requests per second of all generators together (default: 200)"`
	Duration     string            `long:"duration" value-name:"TIME" description:"of the load (default: 15s)"`
	Load         []string          `long:"load" value-name:"ARG" description:"a further argument of loadgen, as --load=-scenario=site; may be repeated"`
}

func (c *exportKubernetes) run(_ context.Context, s *session, _ []string) error {
	cfg, err := c.config(s.common.runDir())
	if err != nil {
		return err
	}
	objects, err := kubernetes.Objects(cfg)
	if err != nil {
		return err
	}
	if cfg.MongoURL == "" && cfg.StorageClass == "" {
		fmt.Fprintln(s.stderr, "topology: what the database has is gone with its pod; --storage-class keeps it, or MONGO_URL names another database")
	}
	return kubernetes.Write(s.stdout, objects)
}

// config checks the flags.
func (c *exportKubernetes) config(runDir string) (*kubernetes.Config, error) {
	// The same checks as for up, of what it shares with it.
	up := upFlags{Layout: c.Layout}
	l, conf, err := up.readLayout()
	if err != nil {
		return nil, err
	}
	cfg := &kubernetes.Config{
		Layout: l, Conf: conf, Balancer: cmp.Or(c.Balancer, l.Balancer, nginx.Name), Replicas: map[string]int{},
		StorageClass: c.StorageClass, StorageSize: c.StorageSize,
	}
	if err := c.balancer(cfg, runDir); err != nil {
		return nil, err
	}
	for name, text := range c.Replicas {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, cli.Usagef("--replicas %s=%s: a number from 1 on is accepted", name, text)
		}
		if _, ok := l.Find(name); !ok {
			return nil, cli.Usagef("--replicas %s: layout %s has %s", name, l.Name, strings.Join(instanceNames(l), ", "))
		}
		cfg.Replicas[name] = n
	}
	if cfg.MongoURL, err = mongoURL(); err != nil {
		return nil, err
	}
	cfg.Load, err = c.load()
	return cfg, err
}

// load is the load that is asked for; nil: none.
func (c *exportKubernetes) load() (*kubernetes.Load, error) {
	switch {
	case c.Loadgen < 0:
		return nil, cli.Usagef("--loadgen %d: a number from 1 on is accepted", c.Loadgen)
	case c.Loadgen == 0 && (c.Rate != "" || c.Duration != "" || len(c.Load) > 0):
		return nil, cli.Usagef("--rate, --duration and --load are of a load, which --loadgen N adds")
	case c.Loadgen == 0:
		return nil, nil
	}
	rate, duration := cmp.Or(c.Rate, "200"), cmp.Or(c.Duration, "15s")
	if n, err := strconv.ParseFloat(rate, 64); err != nil || n < 0 {
		return nil, cli.Usagef("--rate %q: a number of requests per second is accepted", rate)
	}
	if d, err := time.ParseDuration(duration); err != nil || d <= 0 {
		return nil, cli.Usagef("--duration %q: a time as 15s or 2m is accepted", duration)
	}
	return &kubernetes.Load{Generators: c.Loadgen, Args: append([]string{"-rate", rate, "-duration", duration}, c.Load...)}, nil
}

// balancer checks which one is asked for. The shares of HAProxy are known by trying it: on this machine.
func (c *exportKubernetes) balancer(cfg *kubernetes.Config, runDir string) (err error) {
	if known := kubernetes.Balancers(); !slices.Contains(known, cfg.Balancer) {
		return cli.Usagef("--balancer %q: accepted are %s", cfg.Balancer, strings.Join(known, ", "))
	}
	for name, given := range map[string]string{nginx.Name: c.NginxImage, haproxy.Name: c.HAProxyImage} {
		switch {
		case given == "":
		case name != cfg.Balancer:
			return cli.Usagef("--%s-image %q: the balancer is %s", name, given, cfg.Balancer)
		default:
			cfg.Image = given
		}
	}
	if cfg.Balancer == haproxy.Name {
		_, cfg.Program, err = (&upFlags{Balancer: cfg.Balancer}).findBalancer("", runDir)
	}
	return err
}

func instanceNames(l *layout.Layout) (names []string) {
	for _, in := range l.Instances {
		names = append(names, in.Name)
	}
	return names
}
