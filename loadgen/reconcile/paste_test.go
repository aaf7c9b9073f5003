package reconcile

import (
	"strings"
	"testing"
	"time"

	"balanceo/results/console"
)

// Where the log can't be read, the report has the lines to paste, and with them, as they stand in a narrow terminal, all
// requests are found.
func TestPastedLogFormat(t *testing.T) {
	t.Parallel()
	servers := backends(t, 2, true, nil)
	run := func(log string) (*Outcome, string) {
		nginx, target := startLogging(t, log, upstream("app", "", servers))
		_, out := load{nginx: nginx, target: target, paths: uris(1), rate: 300, timeout: 10 * time.Second, duration: 200 * time.Millisecond}.attack(t)
		return &out, strings.Join(out.Notes, "\n")
	}
	const format = ` escape=json '{"msec":$msec,"request_time":$request_time,"user_agent":"$http_user_agent",`
	for name, c := range map[string]struct {
		log, says string
		read      bool
	}{
		"plain":              {"access_log access.log combined;", "names none whose lines are JSON.", false},
		"without a key":      {"log_format j" + format + `"upstream_status":"$upstream_status"}'; access_log access.log j;`, "lack upstream_addr.", false},
		"without request_id": {"log_format j" + format + `"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status"}'; access_log access.log j;`, "lack request_id, so they are compared by their number only.", true},
	} {
		out, notes := run(c.log)
		_, paste, told := strings.Cut(notes, "To paste into the http block of nginx: ")
		if !strings.Contains(notes, c.says) || !told || out.LogRead != c.read || out.Reconciliation.Unexplained != 0 {
			t.Errorf("%s: read %v, %+v, notes %q; want %q and what to paste", name, out.LogRead, out.Reconciliation, notes, c.says)
			continue
		}
		pasted := strings.ReplaceAll(strings.Join(console.Wrap(paste, 71), "\n         "), "/var/log/nginx/", "")
		out, notes = run(c.log + "\n" + pasted)
		r := out.Reconciliation
		if notes != "" || r.Nginx == nil || *r.Nginx != r.Client || r.Unexplained != 0 {
			t.Errorf("%s, and then pasted: %+v, notes %q", name, r, notes)
		}
	}
}
