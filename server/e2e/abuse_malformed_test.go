//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// probe is one malformed message; bad is what must not be in the answer.
type probe struct{ what, text, bad string }

func malformedAttacks() []attack {
	get := func(path, headers string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n"
	}
	post := func(headers, body string) string {
		return "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + headers + "\r\n" + body
	}
	const hidden = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	chunkedHidden := "0\r\n\r\n" + hidden
	chunked := "Transfer-Encoding: chunked\r\n"
	return []attack{
		probes("oversized", "headers of 9, 40 and 200 kB, a line of 40 kB, a body of 70 kB, one announced with 10 GB", nil, "HTTP/1.1 2",
			probe{what: "header", text: get("/info", "X: "+strings.Repeat("x", 9<<10)+"\r\n"), bad: "\x00"},
			probe{what: "header", text: get("/info", "X: "+strings.Repeat("x", 40<<10)+"\r\n")},
			probe{what: "headers", text: get("/info", strings.Repeat("X: "+strings.Repeat("x", 2000)+"\r\n", 100))},
			probe{what: "line", text: get("/"+strings.Repeat("x", 40<<10), "")},
			probe{what: "body", text: post("Content-Length: 71680\r\nConnection: close\r\n", strings.Repeat("x", 70<<10))},
			probe{what: "announced", text: post("Content-Length: 10000000000\r\nConnection: close\r\n", "x")}),
		probes("smuggling", "Content-Length and Transfer-Encoding together, both ways round, twice, misspelt, in lower version, with a request hidden behind", nil, "smuggled",
			probe{what: "CL.TE", text: post(fmt.Sprintf("Content-Length: %d\r\n", len(chunkedHidden))+chunked, chunkedHidden)},
			probe{what: "TE.CL", text: post(chunked+"Content-Length: 3\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden))},
			probe{what: "CL.CL", text: post(fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n", len(hidden)), hidden)},
			probe{what: "TE misspelt", text: post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", chunkedHidden)},
			probe{what: "TE with a space", text: post("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", chunkedHidden)},
			probe{what: "TE twice", text: post(chunked+"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", chunkedHidden)},
			probe{what: "TE with a tab", text: post("Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n", chunkedHidden)},
			probe{what: "CL with a sign", text: post("Content-Length: +0\r\n", hidden)},
			probe{what: "CL that is none", text: post("Content-Length: 0x0\r\n", hidden)},
			probe{what: "GET with a body", text: "GET /info HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + chunked + "\r\n" + chunkedHidden}),
		probes("bad chunks", "sizes that are none, negative, too large, without end, with a body that is longer", nil, "HTTP/1.1 2",
			probe{what: "none", text: post(chunked, "zz\r\nx\r\n0\r\n\r\n")},
			probe{what: "negative", text: post(chunked, "-1\r\nx\r\n0\r\n\r\n")},
			probe{what: "huge", text: post(chunked, "FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n")},
			probe{what: "large", text: post(chunked, "7fffffffffffffff\r\nx\r\n0\r\n\r\n")},
			probe{what: "longer", text: post(chunked, "1\r\nxxxxxx\r\n0\r\n\r\n")},
			probe{what: "no line", text: post(chunked, strings.Repeat("1", 20<<10))}),
		probes("traversal", "eight paths out of /static", nil, "root:",
			probe{text: get("/static/../../../../etc/passwd", "")}, probe{text: get("/../../etc/passwd", "")},
			probe{text: get("/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "")}, probe{text: get("/static/..%2f..%2f..%2fetc/passwd", "")},
			probe{text: get("/static/..%5c..%5cetc/passwd", "")}, probe{text: get("/static//etc/passwd", "")},
			probe{text: get("/static/%00/etc/passwd", "")}, probe{text: get("/static/%252e%252e/etc/passwd", "")}),
		probes("header injection", "line ends in path, query, host, cookie and form, also encoded", nil, "\nEvil:",
			probe{text: get("/x%0d%0aEvil:%201", "")}, probe{text: get("/login?x=%0d%0aEvil:%201", "")},
			probe{text: get("/x\nEvil: 1", "")}, probe{text: get("/info", "X: a\rEvil: 1\r\n")},
			probe{text: get("/login", "Cookie: balanceo_form=email%3Da%250d%250aEvil: 1\r\n")},
			probe{text: post("Connection: close\r\nContent-Length: 53\r\n", "email=a%40b.example%0d%0aEvil:%201&password=x&name=%0a")}),
	}
}

// probes is an attack of single messages, none of which may be answered with what is bad.
func probes(name, sent string, targets []string, bad string, all ...probe) attack {
	return attack{name, sent, targets, func(t *testing.T, _ *field, addr string) outcome {
		count, ok := map[string]int{}, true
		for _, p := range all {
			answer, closed := talk(addr, p.text)
			if p.bad == "" {
				p.bad = bad
			}
			found := statuses(answer)
			looked := answer
			if strings.HasPrefix(p.bad, "\n") { // as a header; a page may show it
				looked, _, _ = strings.Cut(answer, "\r\n\r\n")
			}
			if strings.Contains(looked, p.bad) || len(found) > 1 {
				ok = false
				t.Errorf("%s: %.200q is answered with %.300q", p.what, p.text, answer)
			}
			status := "no answer"
			if len(found) > 0 {
				status = strings.Join(found, " and ")
			}
			if !closed {
				status += ", kept open"
			}
			count[status]++
		}
		return outcome{tell(count), ok}
	}}
}
