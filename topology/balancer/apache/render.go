package apache

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"balanceo/topology/balancer"
)

// conf is Apache's configuration of a plan. One process with threads does the balancing, so that one order of turns
// counts; ServerLimit leaves room for an old process that finishes while a reload lasts. LB_GROUP is the group of a
// request: of several routes that fit the first in the plan counts, so they are tried from the last one on.
const conf = `# Written from {{.Source}}; changes here are lost with the next reload.
ServerName localhost
DefaultRuntimeDir .
PidFile apache.pid
ErrorLog error.log
LogLevel warn
{{- range .Modules}}
<IfModule !{{.}}_module>
    LoadModule {{.}}_module {{$.Folder}}/mod_{{.}}.so
</IfModule>
{{- end}}
{{- if .User}}
User {{.User}}
{{- end}}
{{- range .Binds}}
Listen {{bind .}}
{{- end}}
ServerLimit 8
StartServers 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
MinSpareThreads 1
MaxSpareThreads 256
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 75
Timeout 60
{{- if .MaxBody}}
LimitRequestBody {{.MaxBody}}
{{- end}}
AllowEncodedSlashes NoDecode
ProxyPreserveHost On
RequestHeader set X-Real-IP "expr=%{REMOTE_ADDR}"
RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"
Header unset X-Upstream
Header unset X-Upstream-Group
Header always set X-Upstream "%{BALANCER_WORKER_ROUTE}e" env=BALANCER_WORKER_ROUTE
Header always set X-Upstream-Group "%{LB_GROUP}e" env=LB_GROUP
{{- range .Answer}}
Header always set {{index . 0}} "{{index . 1}}"
{{- end}}
LogFormat "{\"msec\":%{end:msec}te-3,\"remote_addr\":\"%a\",\"method\":\"%m\",\"uri\":\"%{LB_URI}e\",\"status\":%>s,\"bytes\":%B,\"request_time\":%De-6,\"upstream_group\":\"%{LB_GROUP}e\",\"upstream_addr\":\"%{BALANCER_WORKER_ROUTE}e\",\"upstream_status\":\"%>s\",\"error_id\":\"%L\",\"user_agent\":\"%{User-Agent}i\",\"request_id\":\"%{X-Request-Id}i\"}" json
CustomLog access.log json
RewriteEngine On
RewriteCond %{THE_REQUEST} "^\S+ (\S+)"
RewriteRule ^ - [E=LB_URI:%1]
{{- if .MaxBody}}
RewriteCond expr "%{HTTP:Content-Length} -gt {{.MaxBody}}"
RewriteRule ^ - [R=413,L]
{{- end}}
{{range .Backwards}}{{if .Group}}
SetEnvIf Request_URI "{{regexp .}}" LB_GROUP={{.Group}}
{{- else}}
SetEnvIf Request_URI "{{regexp .}}" !LB_GROUP
{{- end}}{{end}}
{{range .Routes}}{{if .Group}}
ProxyPassMatch "{{regexp .}}" balancer://{{.Group}} nocanon
{{- else}}
ProxyPassMatch "{{regexp .}}" !
RedirectMatch {{.Status}} "{{regexp .}}"
{{- end}}{{end}}
{{range .Balancers}}
<Proxy balancer://{{.Name}}>
{{- range .Members}}
    BalancerMember {{.}}
{{- end}}
    ProxySet lbmethod={{.Method}}
</Proxy>
{{end}}`

// functions are those that conf calls.
func functions() template.FuncMap {
	return template.FuncMap{
		"regexp": pattern,
		"bind": func(bind string) string {
			if port, ok := strings.CutPrefix(bind, ":"); ok {
				return port
			}
			return bind
		},
	}
}

// needed are the modules, in the order in which they are to be loaded.
func needed() []string {
	return []string{
		"mpm_event", "unixd", "log_config", "authz_core", "alias", "env", "setenvif", "headers", "rewrite", "proxy", "proxy_http", "proxy_wstunnel",
		"slotmem_shm", "proxy_balancer", "lbmethod_byrequests", "lbmethod_bybusyness", "lbmethod_bytraffic",
	}
}

// pattern is a regular expression for the paths of a route.
func pattern(r balancer.Route) string {
	text := "^" + regexp.QuoteMeta(r.Path)
	if r.Exact {
		text += "$"
	}
	return text
}

type group struct {
	Name    string
	Method  balancer.Method
	Members []string
}

func render(s *balancer.Site, plan *balancer.Plan) ([]byte, error) {
	folder, err := modules()
	if err != nil {
		return nil, err
	}
	serves := servant()
	if serves == "" && os.Getuid() == 0 {
		return nil, errNoUser
	}
	var groups []group
	for i := range plan.Groups {
		members, err := members(plan, &plan.Groups[i])
		if err != nil {
			return nil, err
		}
		groups = append(groups, group{plan.Groups[i].Name, plan.Groups[i].Method, members})
	}
	backwards := slices.Clone(plan.Routes)
	slices.Reverse(backwards)
	var b bytes.Buffer
	err = template.Must(template.New("httpd.conf").Funcs(functions()).Parse(conf)).Execute(&b, struct {
		*balancer.Plan
		Source, Folder, User string
		Modules              []string
		Backwards            []balancer.Route
		Balancers            []group
	}{plan, s.Source, folder, serves, needed(), backwards, groups})
	return b.Bytes(), err
}

// members are the lines of a group's servers. The route is just a name here, for who answered.
func members(plan *balancer.Plan, g *balancer.Group) ([]string, error) {
	read := time.Duration(-1)
	for _, r := range plan.Routes {
		if r.Group != g.Name {
			continue
		}
		wait := cmp.Or(r.Read, plan.Read)
		if read >= 0 && wait != read {
			return nil, plan.Refuse(g.Name, 0, "Apache waits as long for a server whatever the location, and proxy_read_timeout differs between those of upstream "+g.Name)
		}
		read = wait
	}
	if read < 0 {
		read = plan.Read
	}
	whole := func(d time.Duration) string {
		return strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second)))
	}
	var lines []string
	for _, s := range g.Servers {
		line := fmt.Sprintf("http://%s route=%s loadfactor=%d timeout=%s connectiontimeout=%s upgrade=websocket retry=", s.Addr, s.Addr, s.Weight, whole(read), whole(plan.Connect))
		if s.MaxFails > 0 {
			line += strconv.Itoa(max(1, int(s.FailTimeout)))
		} else {
			line += "0"
		}
		if s.Backup {
			line += " status=+H"
		}
		if s.Down {
			line += " status=+D"
		}
		lines = append(lines, line)
	}
	return lines, nil
}
