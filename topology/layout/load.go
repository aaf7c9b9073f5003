package layout

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Names lists the built-in layouts, sorted.
func Names() []string {
	entries, _ := builtin.ReadDir("builtin") // part of the binary, sorted
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Load reads a built-in layout by its name, or the file at that path when it is not the name of one. A
// path in the file is relative to the file's folder. Errors in a file carry its name, line and column.
func Load(nameOrFile string) (*Layout, error) {
	if text, err := builtin.ReadFile("builtin/" + nameOrFile + ".yaml"); err == nil {
		return parse(nameOrFile, text)
	}
	text, err := os.ReadFile(nameOrFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("layout %q is neither a built-in one (%s) nor a file",
			nameOrFile, strings.Join(Names(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	l, err := parse(nameOrFile, text)
	if err != nil {
		return nil, err
	}
	if l.Name == "" {
		base := filepath.Base(nameOrFile)
		l.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	if l.NginxConf != "" && !filepath.IsAbs(l.NginxConf) {
		l.NginxConf = filepath.Join(filepath.Dir(nameOrFile), l.NginxConf)
	}
	return l, nil
}

// parse reads the text of a layout. The name is for its errors.
func parse(name string, text []byte) (l *Layout, err error) {
	defer func() { // the YAML library panics on some broken tags
		if p := recover(); p != nil {
			l, err = nil, fmt.Errorf("%s: it is no YAML that can be read: %v", name, p)
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, located(name, err)
	}
	l = &Layout{}
	if err := yaml.UnmarshalWithOptions(text, l, yaml.Strict()); err != nil {
		return nil, located(name, err)
	}
	if p := l.check(); p != nil {
		return nil, p.in(name, file)
	}
	return l, nil
}

// located turns an error of the YAML library, a drawing of several lines, into FILE:LINE:COLUMN: message.
func located(name string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	pos := at.GetToken().Position
	msg := at.GetMessage()
	if key, ok := strings.CutPrefix(msg, "unknown field "); ok {
		msg = "unknown key " + key + "; known are name, balancer, nginx_conf, http_port, probe and instances, " +
			"and in an instance name, port, mode, workers, threads, env and args"
	}
	if mismatch, ok := errors.AsType[*yaml.TypeError](err); ok {
		msg = fmt.Sprintf("%s is expected, not %s", kind(mismatch.DstType), kind(mismatch.SrcType))
	}
	return fmt.Errorf("%s:%d:%d: %s", name, pos.Line, pos.Column, msg)
}

// kind names a type for people who write YAML.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping of keys"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number with a fraction"
	default:
		return "a number"
	}
}

// problem is a value that reads well and means nothing: path says which, in YAML path notation.
type problem struct {
	path string
	msg  string
}

func problemf(path, format string, args ...any) *problem {
	return &problem{path, fmt.Sprintf(format, args...)}
}

// in tells the problem with its place in the file.
func (p *problem) in(name string, file *ast.File) error {
	path, err := yaml.PathString(p.path)
	if err == nil {
		if node, err := path.FilterFile(file); err == nil && node.GetToken() != nil {
			pos := node.GetToken().Position
			return fmt.Errorf("%s:%d:%d: %s", name, pos.Line, pos.Column, p.msg)
		}
	}
	return fmt.Errorf("%s: %s", name, p.msg)
}

// Names that status and logs use for the parts of a layout that are not instances.
const (
	DatabaseName = "database"
)

// Balancers are the names of the balancers that there are, the default first.
func Balancers() []string { return []string{"nginx", "haproxy", "caddy", "apache"} }

// MaxWorkers bounds the workers of one instance.
const MaxWorkers = 256

var instanceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,31}$`)

// Check tells what is wrong with the layout, nil if nothing.
func (l *Layout) Check() error {
	if p := l.check(); p != nil {
		return fmt.Errorf("layout %q: %s", l.Name, p.msg)
	}
	return nil
}

func (l *Layout) check() *problem {
	if l.HTTPPort < 0 || l.HTTPPort > 65535 {
		return problemf("$.http_port", "http_port %d is no port: 1 to 65535", l.HTTPPort)
	}
	if l.Balancer = cmp.Or(l.Balancer, Balancers()[0]); !slices.Contains(Balancers(), l.Balancer) {
		return problemf("$.balancer", "balancer %q: %s", l.Balancer, strings.Join(Balancers(), ", "))
	}
	l.Probe = l.Probe.withDefaults()
	if p := l.Probe; p.Interval < 0 || p.Timeout < 0 || p.ReplaceAfter < 0 || p.Misses < 0 {
		return problemf("$.probe", "probe: no value is below 0 (0: the default)")
	}
	if len(l.Instances) == 0 {
		return problemf("$", "a layout needs at least one instance, under the key instances")
	}
	names, ports := map[string]bool{}, map[int]string{}
	for i := range l.Instances {
		in := &l.Instances[i]
		at := "$.instances[" + strconv.Itoa(i) + "]"
		if p := in.check(at); p != nil {
			return p
		}
		if names[in.Name] {
			return problemf(at+".name", "the name %q is used twice", in.Name)
		}
		names[in.Name] = true
		if in.Port == l.HTTPPort {
			return problemf(at+".port", "port %d is where %s listens (http_port)", in.Port, l.Balancer)
		}
		if other, ok := ports[in.Port]; ok {
			return problemf(at+".port", "port %d is taken by %q already", in.Port, other)
		}
		ports[in.Port] = in.Name
	}
	return nil
}

func (p Probe) withDefaults() Probe {
	return Probe{
		Interval: cmp.Or(p.Interval, 500*time.Millisecond), Timeout: cmp.Or(p.Timeout, time.Second),
		Misses: cmp.Or(p.Misses, 2), ReplaceAfter: cmp.Or(p.ReplaceAfter, 10*time.Second),
	}
}

func (in *Instance) check(at string) *problem {
	in.Mode = cmp.Or(in.Mode, Fork)
	mode := Mode(strings.ToUpper(string(in.Mode)))
	switch {
	case in.Name == "":
		return problemf(at, "an instance needs a name")
	case !instanceName.MatchString(in.Name):
		return problemf(at+".name", "name %q: a letter, then at most 31 letters, digits, '.', '_' or '-'", in.Name)
	case slices.Contains(Balancers(), in.Name) || in.Name == DatabaseName:
		return problemf(at+".name", "the name %q belongs to another part of every layout", in.Name)
	case in.Port == 0:
		return problemf(at, "instance %q needs a port", in.Name)
	case in.Port < 0 || in.Port > 65535:
		return problemf(at+".port", "port %d is no port: 1 to 65535", in.Port)
	case mode != Fork && mode != Cluster:
		return problemf(at+".mode", "mode %q: FORK or CLUSTER", in.Mode)
	case in.Workers < 0 || in.Workers > MaxWorkers:
		return problemf(at+".workers", "workers %d: 0 (one per core) to %d", in.Workers, MaxWorkers)
	case in.Workers > 0 && mode == Fork:
		return problemf(at+".workers", "workers belong to mode CLUSTER; %q is FORK", in.Name)
	case in.Threads < 0 || in.Threads > 1024:
		return problemf(at+".threads", "threads %d: 0 (Go's default) to 1024", in.Threads)
	}
	in.Mode = mode
	return nil
}

// Move gives the layout other ports: its lowest instance port becomes basePort and the others keep their
// distance from it, and the balancer listens on httpPort. Zero leaves a port where it is.
func (l *Layout) Move(basePort, httpPort int) error {
	moved := *l
	moved.Instances = slices.Clone(l.Instances)
	if basePort != 0 {
		for i := range moved.Instances {
			moved.Instances[i].Port += basePort - l.LowestPort()
		}
	}
	if httpPort != 0 {
		moved.HTTPPort = httpPort
	}
	if err := moved.Check(); err != nil {
		return fmt.Errorf("base port %d, HTTP port %d: %w", basePort, httpPort, err)
	}
	*l = moved
	return nil
}

// LowestPort is that of the instances.
func (l *Layout) LowestPort() int {
	return slices.MinFunc(l.Instances, func(a, b Instance) int { return cmp.Compare(a.Port, b.Port) }).Port
}

// Find returns the instance with that name or that port.
func (l *Layout) Find(nameOrPort string) (Instance, bool) { return find(l.Instances, nameOrPort) }

func find(instances []Instance, nameOrPort string) (Instance, bool) {
	port, err := strconv.Atoi(strings.TrimPrefix(nameOrPort, ":"))
	for _, in := range instances {
		if in.Name == nameOrPort || err == nil && in.Port == port {
			return in, true
		}
	}
	return Instance{}, false
}
