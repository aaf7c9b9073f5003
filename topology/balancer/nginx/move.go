package nginx

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"balanceo/topology/layout"
)

// Move says which ports a copy of a configuration has instead of the original's.
type Move struct {
	Listen  map[int]int // of listen lines
	Servers map[int]int // of server lines and proxy_pass on this machine
}

// Write writes a copy of the configuration src to dst with other ports. Comments and layout stay as
// they are. The copy reads the same from any folder: paths relative to the original's folder become
// absolute, and an included file with something to move becomes part of the copy. What would tie it to one
// place of the system becomes relative to the prefix: the pid file, and the folders for temporary files
// where src does not name them. The "daemon" line goes, so that whoever starts nginx decides.
func Write(src, dst string, move Move) error {
	abs, err := filepath.Abs(src)
	if err != nil {
		return fmt.Errorf("nginx configuration %q: %w", src, err)
	}
	m := &mover{Move: move, main: abs, dir: filepath.Dir(abs), seen: map[string]bool{}, named: map[string]bool{}}
	text, _, err := m.file(abs, nil)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(dst, []byte(text), 0o644); err != nil {
		return fmt.Errorf("nginx configuration %q: %w", dst, err)
	}
	return nil
}

type mover struct {
	Move
	main  string          // the original
	dir   string          // against which the original's paths are read
	seen  map[string]bool // files being read, against cycles
	named map[string]bool // directives that the configuration has itself
}

// edit replaces text[start:end].
type edit struct {
	start, end int
	text       string
}

// file returns the changed text of one file, and whether ports were changed in it.
func (m *mover) file(path string, around []string) (string, bool, error) {
	if m.seen[path] {
		return "", false, fmt.Errorf("%s includes itself", path)
	}
	m.seen[path] = true
	defer delete(m.seen, path)

	raw, err := os.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("nginx configuration: %w", err)
	}
	text := string(raw)
	tokens, err := tokenize(text)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", path, err)
	}
	var edits []edit
	moved := false
	err = walk(tokens, around, func(around []string, s statement) error {
		es, port, err := m.statement(around, s)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, s.words[0].line, err)
		}
		edits = append(edits, es...)
		moved = moved || port
		return nil
	})
	if err != nil {
		return "", false, err
	}
	if path == m.main {
		edits = append(edits, m.missing(tokens)...)
	}
	return apply(text, edits), moved, nil
}

// apply makes the edits, which do not overlap.
func apply(text string, edits []edit) string {
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].start < edits[j].start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// holdsValues tells of a block that its lines are values, not directives.
func holdsValues(block string) bool {
	switch block {
	case "map", "geo", "types", "split_clients", "charset_map":
		return true
	}
	return false
}

// isConfPath tells of a directive that nginx reads its path against the folder of the configuration.
func isConfPath(directive string) bool {
	switch directive {
	case "ssl_certificate", "ssl_certificate_key", "ssl_trusted_certificate", "ssl_client_certificate", "ssl_dhparam",
		"ssl_password_file", "ssl_crl", "ssl_session_ticket_key", "auth_basic_user_file",
		"proxy_ssl_certificate", "proxy_ssl_certificate_key", "proxy_ssl_trusted_certificate":
		return true
	}
	return false
}

// statement returns what is to change in one directive, and whether that is a port.
func (m *mover) statement(around []string, s statement) (edits []edit, port bool, err error) {
	if s.name() == "include" && !s.block {
		return m.include(around, s)
	}
	inner := ""
	if len(around) > 0 {
		inner = around[len(around)-1]
	}
	m.named[s.name()] = true
	if inner == "" && s.name() == "daemon" {
		return []edit{{s.words[0].start, s.last.end, ""}}, false, nil
	}
	if holdsValues(inner) || len(s.words) < 2 {
		return nil, false, nil
	}
	arg := s.words[1]
	replaced := arg.value
	switch {
	case s.name() == "listen" && inner == "server":
		replaced = movePort(arg.value, m.Listen, 80)
	case s.name() == "server" && inner == "upstream":
		replaced = m.moveServer(arg.value)
	case strings.HasSuffix(s.name(), "_pass"):
		if scheme, rest, ok := strings.Cut(arg.value, "://"); ok {
			host, path, slash := strings.Cut(rest, "/")
			if slash {
				path = "/" + path
			}
			replaced = scheme + "://" + m.moveServer(host) + path
		}
	case s.name() == "pid" && inner == "":
		return []edit{{arg.start, arg.end, pidFile}}, false, nil
	case isConfPath(s.name()):
		if !filepath.IsAbs(arg.value) && !strings.ContainsAny(arg.value, "$:") {
			abs := filepath.Join(m.dir, arg.value)
			return []edit{{arg.start, arg.end, strconv.Quote(abs)}}, false, nil
		}
	}
	if replaced == arg.value {
		return nil, false, nil
	}
	return []edit{{arg.start, arg.end, replaced}}, true, nil
}

// moveServer moves the port of an address on this machine.
func (m *mover) moveServer(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !layout.IsLocal(host) {
		return addr
	}
	return movePort(addr, m.Servers, 0)
}

// movePort gives an address the port that ports has for its own; assumed is the port of an address without.
func movePort(addr string, ports map[int]int, assumed int) string {
	if strings.HasPrefix(addr, "unix:") {
		return addr
	}
	if port, err := strconv.Atoi(addr); err == nil {
		if to, ok := ports[port]; ok {
			return strconv.Itoa(to)
		}
		return addr
	}
	i := strings.LastIndexByte(addr, ':')
	if i >= 0 && !strings.HasSuffix(addr, "]") {
		if port, err := strconv.Atoi(addr[i+1:]); err == nil {
			if to, ok := ports[port]; ok {
				return addr[:i+1] + strconv.Itoa(to)
			}
		}
		return addr
	}
	if to, ok := ports[assumed]; ok && assumed != 0 {
		return addr + ":" + strconv.Itoa(to)
	}
	return addr
}

// include makes the path absolute, or puts the files into the place of the line when ports move in them.
func (m *mover) include(around []string, s statement) ([]edit, bool, error) {
	pattern := s.arg(0)
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(m.dir, pattern)
	}
	files := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if files, err = filepath.Glob(pattern); err != nil {
			return nil, false, fmt.Errorf("include %q: %w", pattern, err)
		}
		sort.Strings(files)
	}
	var inlined strings.Builder
	moved := false
	for _, f := range files {
		text, here, err := m.file(f, around)
		if err != nil {
			return nil, false, err
		}
		moved = moved || here
		fmt.Fprintf(&inlined, "# from %s\n%s\n", f, strings.TrimRight(text, "\n"))
	}
	if !moved {
		arg := s.words[1]
		return []edit{{arg.start, arg.end, strconv.Quote(pattern)}}, false, nil
	}
	return []edit{{s.words[0].start, s.last.end, inlined.String()}}, true, nil
}

// pidFile is the pid file of a moved nginx, in its prefix.
const pidFile = "nginx.pid"

// missing adds, to the main file, the lines without which nginx would write outside its prefix.
func (m *mover) missing(tokens []token) []edit {
	var edits []edit
	if !m.named["pid"] {
		edits = append(edits, edit{0, 0, "pid " + pidFile + ";\n"})
	}
	var b strings.Builder
	// Where nginx makes folders for temporary files by itself depends on how it was built.
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		if directive := what + "_temp_path"; !m.named[directive] {
			fmt.Fprintf(&b, "\n    %s temp_%s;", directive, what)
		}
	}
	// The same walk went well before, so that this one can't fail.
	_ = walk(tokens, nil, func(around []string, s statement) error {
		if len(around) == 0 && s.name() == "http" && s.block {
			edits = append(edits, edit{s.last.end, s.last.end, b.String()})
		}
		return nil
	})
	return edits
}
