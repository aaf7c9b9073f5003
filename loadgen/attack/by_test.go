package attack

import (
	"net/http"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestBy finds out who gave an answer, by either engine's reading.
func TestBy(t *testing.T) {
	header := map[string]string{"X-Upstream-Group": "g", "X-Upstream": "a:1, b:2", "X-Served-By": "cache-1, cache-2", "Set-Cookie": "route=c3; Path=/"}
	const body = `{"instance":"d4","server":{"name":"e5","port":8080},"list":[1]}`
	for _, c := range []struct{ by, group, server string }{
		{"", "g", "a:1, b:2"},
		{"header:x-served-by", "header:X-Served-By", "cache-1,cache-2"},
		{"header:X-None", "", ""},
		{"cookie:route", "cookie:route", "c3"},
		{"cookie:other", "", ""},
		{"json:instance", "json:instance", "d4"},
		{"json:server.name", "json:server.name", "e5"},
		{"json:server.port", "json:server.port", "8080"},
		{"json:server", "", ""},
		{"json:list.0", "", ""},
	} {
		var by By
		if c.by != "" {
			var err error
			if by, err = ParseBy(c.by); err != nil {
				t.Fatal(err)
			}
		}
		var fast fasthttp.ResponseHeader
		std := http.Header{}
		for name, value := range header {
			fast.Set(name, value)
			std.Set(name, value)
		}
		group, server := by.peek(&fast, []byte(body))
		if string(group) != c.group || string(server) != c.server {
			t.Errorf("-by %q: peek = %q, %q; want %q, %q", c.by, group, server, c.group, c.server)
		}
		group, server = by.get(std, []byte(body))
		if string(group) != c.group || string(server) != c.server {
			t.Errorf("-by %q: get = %q, %q; want %q, %q", c.by, group, server, c.group, c.server)
		}
	}
	for _, text := range []string{"header", "header:", "X-Served-By", "body:x"} {
		if by, err := ParseBy(text); err == nil {
			t.Errorf("ParseBy(%q) = %v, want an error", text, by)
		}
	}
}

// TestByOfTwo: a server behind nginx that sends the headers itself is not believed, for nginx adds its own after them.
func TestByOfTwo(t *testing.T) {
	var fast fasthttp.ResponseHeader
	std := http.Header{}
	for _, h := range [][2]string{
		{"X-Upstream", "lie:1"}, {"X-Upstream-Group", "lie"}, {"X-Upstream", "a:1"}, {"X-Upstream-Group", "g"},
	} {
		fast.Add(h[0], h[1])
		std.Add(h[0], h[1])
	}
	by, err := ParseBy("header:X-Upstream")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by    By
		group string
	}{{By{}, "g"}, {by, "header:X-Upstream"}} {
		if group, server := c.by.peek(&fast, nil); string(group) != c.group || string(server) != "a:1" {
			t.Errorf("peek by %q = %q, %q; want %q, a:1", c.by, group, server, c.group)
		}
		if group, server := c.by.get(std, nil); string(group) != c.group || string(server) != "a:1" {
			t.Errorf("get by %q = %q, %q; want %q, a:1", c.by, group, server, c.group)
		}
	}
}
