package nginx

import (
	"path/filepath"
	"strings"

	"github.com/nginxinc/nginx-go-crossplane"
)

// accessLog finds the first log in a JSON format, at any depth, a complete one or any. Logs of the outer blocks come first.
func (r *reader) accessLog(block crossplane.Directives, complete bool) {
	for _, d := range block {
		if r.conf.AccessLog != "" {
			return
		}
		if d.Directive != "access_log" || len(d.Args) < 2 {
			continue
		}
		if all, isJSON := r.formats[d.Args[1]]; !isJSON || complete && !all {
			continue
		}
		path := d.Args[0]
		if strings.HasPrefix(path, "syslog:") || strings.Contains(path, "$") {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.prefix, path)
		}
		r.conf.AccessLog = path
	}
	for _, d := range block {
		if r.conf.AccessLog == "" {
			r.accessLog(d.Block, complete)
		}
	}
}
