package haproxy

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"balanceo/topology/balancer"
)

// conf is HAProxy's configuration of a plan. The log has the keys of the log_format of nginx.conf. Which route fits
// is found once, as nginx would: the first of them in the plan's order.
const conf = `# Written from {{.Source}}; changes here are lost with the next reload.
global
    stats socket {{.Socket}} mode 600 level admin expose-fd listeners
    log stdout format raw local0
{{- if .Elsewhere}}
    # Of lines that two threads write at once one is lost, and nobody here is asked how many those are. Websockets have no
    # end, and who waits for one ends everything.
    nbthread 1
    hard-stop-after 5s
{{- end}}

defaults
    mode http
    log global
    log-format '{"time":"%tr","msec":%[date(0,ms)]e-3,"remote_addr":"%ci","method":"%[var(txn.method),json(utf8s)]","uri":"%[var(txn.uri),json(utf8s)]","status":%ST,"bytes":%B,"request_time":%[date(0,ms),sub(sess.begun)]e-3,"upstream_group":"%b","upstream_addr":"%si:%sp","upstream_status":"%ST","upstream_connect_time":"%Tc","upstream_header_time":"%[var(txn.header)]","upstream_response_time":"%Tr","retries":"%rc","user_agent":"%[var(txn.agent),json(utf8s)]","request_id":"%[var(txn.id),json(utf8s)]"}'
    timeout connect {{ms .Connect}}
    timeout server {{ms .Read}}
    timeout client 60s
    timeout tunnel {{ms .Read}}
    timeout http-request 60s
    timeout http-keep-alive 75s
    option dontlognull
    # A server that can't be reached, or that closes a connection without an answer, is left for the next one.
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response

frontend http
{{- range .Binds}}
    bind {{.}}
{{- end}}
    tcp-request connection set-var(sess.begun) date(0,ms)
    http-request set-var(sess.begun) date(0,ms)
    http-request set-var(txn.method) method
    http-request set-var(txn.uri) url
    http-request set-var(txn.agent) req.hdr(User-Agent)
    http-request set-var(txn.id) req.hdr(X-Request-Id)
    http-request disable-l7-retry unless METH_GET or METH_HEAD
{{- if .MaxBody}}
    http-request deny deny_status 413 if { req.hdr_val(content-length) gt {{.MaxBody}} }
{{- end}}
    http-request set-header X-Forwarded-For '%[req.hdr(X-Forwarded-For)], %[src]' if { req.hdr(X-Forwarded-For) -m found }
    http-request set-header X-Forwarded-For %[src] unless { req.hdr(X-Forwarded-For) -m found }
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
{{- range $i, $r := .Routes}}
    http-request set-var(txn.route) int({{$i}}) if { path -m {{if .Exact}}str{{else}}beg{{end}} {{.Path}} } !{ var(txn.route) -m found }
{{- if .Status}}
    http-request return status {{.Status}} if { var(txn.route) -m int {{$i}} }
{{- end}}
{{- end}}
    http-request return status 404 unless { var(txn.route) -m found }
{{- range $i, $r := .Routes}}{{if .Group}}
    use_backend {{.Group}} if { var(txn.route) -m int {{$i}} }
{{- end}}{{end}}
{{range $g := .Groups}}
backend {{.Name}}
    balance {{.Method}}
{{- if parts .}}
    hash-type {{parts .}}
{{- end}}
{{- range $i, $r := $.Routes}}{{if and .Read (eq .Group $g.Name)}}
    http-request set-timeout server {{ms .Read}} if { var(txn.route) -m int {{$i}} }
{{- end}}{{end}}
    http-response set-var(txn.header) date(0,ms),sub(sess.begun)
    http-after-response set-header X-Upstream %si:%sp
    http-after-response set-header X-Upstream-Group {{.Name}}
{{- range $.Answer}}
    http-after-response set-header {{index . 0}} {{quote (index . 1)}}
{{- end}}
{{- range .Servers}}
    {{server .}}
{{- end}}
{{end}}`

// functions are those that conf calls.
func functions() template.FuncMap {
	return template.FuncMap{
		"ms":     func(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) },
		"quote":  func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
		"server": server,
		"parts":  func(g balancer.Group) string { return strings.Join(g.Args, " ") },
	}
}

// server is the line of one server. nginx's "max_fails within fail_timeout" is the nearest that HAProxy has: so many
// failures in a row take it out, until a connection to it succeeds, which is tried every fail_timeout.
func server(s balancer.Server) string {
	line := fmt.Sprintf("server %s %s weight %d", s.Addr, s.Addr, s.Weight)
	if s.MaxFails > 0 {
		line += fmt.Sprintf(" check inter %dms fall %d rise 1 observe layer4 error-limit %d on-error mark-down",
			int64(s.FailTimeout*1000), s.MaxFails, s.MaxFails)
	}
	if s.Backup {
		line += " backup"
	}
	if s.Down {
		line += " disabled"
	}
	return line
}

func render(s *balancer.Site, plan *balancer.Plan) ([]byte, error) {
	var b bytes.Buffer
	elsewhere, source := s.Move.Hosts != nil, s.Source
	if elsewhere {
		source = filepath.Base(source)
	}
	err := template.Must(template.New("haproxy.cfg").Funcs(functions()).Parse(conf)).Execute(&b, struct {
		*balancer.Plan
		Source, Socket string
		Elsewhere      bool // not on this machine
	}{plan, source, s.Socket(), elsewhere})
	return b.Bytes(), err
}
