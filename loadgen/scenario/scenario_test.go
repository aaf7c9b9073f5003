package scenario

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/tally"
)

// counts are how often each request is among hits from to to-1.
func counts(s *Scenario, from, to uint64) []int {
	out := make([]int, len(s.Requests))
	for n := from; n < to; n++ {
		out[s.At(n)]++
	}
	return out
}

func TestMix(t *testing.T) {
	s, err := Builtin(Mix, 1000)
	if err != nil {
		t.Fatal(err)
	}
	const randoms = 0
	if r := s.Requests[randoms]; r.URL != "/api/randoms?cant=1000" || r.Draws != 1000 || r.Label() != (tally.Route{Method: "GET", Path: "/api/randoms"}) {
		t.Fatalf("first request of mix is %+v, want /api/randoms", r)
	}
	// 200 a second for 15 s after a warm-up of 2 s.
	if got := counts(s, 400, 3400)[randoms]; got != 1500 {
		t.Errorf("mix sends %d of 3000 to /api/randoms, want 1500", got)
	}
	for n := range uint64(1000) {
		if (s.At(n) == randoms) == (s.At(n+1) == randoms) {
			t.Fatalf("hits %d and %d of mix go to the same half", n, n+1)
		}
	}
	// The site's part alone, so as its servers in the shares 2:1 see it: every page reaches both in these shares.
	pages := map[[2]int]int{}
	site := 0
	for n := range uint64(3000) {
		if s.At(n) != randoms {
			pages[[2]int{s.At(n), map[int]int{0: 0, 1: 1, 2: 0}[site%3]}]++
			site++
		}
	}
	for page := 1; page < len(s.Requests); page++ {
		if a, b := pages[[2]int{page, 0}], pages[[2]int{page, 1}]; a != 2*b {
			t.Errorf("%s reaches the servers of node_app %d and %d times, want 2:1", s.Requests[page].URL, a, b)
		}
	}
}

func TestBuiltin(t *testing.T) {
	for _, c := range []struct {
		name     string
		requests int
		err      string
	}{
		{Mix, 6, ""},
		{Site, 5, ""},
		{Randoms, 1, ""},
		{"nonsense", 0, `-scenario "nonsense": accepted are mix, site, randoms, session, ws, url, or the path of a YAML file`},
	} {
		s, err := Builtin(c.name, 7)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("Builtin(%q): error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || len(s.Requests) != c.requests || len(s.Labels()) != c.requests {
			t.Errorf("Builtin(%q) = %+v, %v; want %d requests", c.name, s, err, c.requests)
		}
	}
}

// After any number of hits each request was sent within one of its part.
func TestInterleave(t *testing.T) {
	for _, weights := range [][]int{{1}, {2, 1}, {5, 1, 1}, {1, 0, 3}, {10, 20, 30}, {1, 1, 1, 1, 1, 5}, {97, 2, 1}, {7, 11, 13, 17}, {1000, 1, 1, 1, 999}} {
		sequence, err := interleave(weights)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, w := range weights {
			sum += w
		}
		got := make([]int, len(weights))
		for n, i := range append(sequence, sequence...) {
			got[i]++
			for j, w := range weights {
				if off := float64(got[j]) - float64(w*(n+1))/float64(sum); math.Abs(off) >= 1 {
					t.Fatalf("interleave(%v): request %d is off by %v after %d hits", weights, j, off, n+1)
				}
			}
		}
	}
	for _, weights := range [][]int{nil, {0, 0}, {-1, 2}, {1, maxSequence}} {
		if _, err := interleave(weights); err == nil {
			t.Errorf("interleave(%v): no error", weights)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	text := `requests:
  - path: /info?x=1
    weight: 3
  - method: post
    path: /login
    headers: {Content-Type: text/plain, Accept: "*/*"}
    body: hello
  - path: /api/randoms?cant=500
    weight: 0
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []attack.Request{
		{Target: vegeta.Target{Method: "GET", URL: "/info?x=1", Body: []byte{}}, Weight: 3},
		{Target: vegeta.Target{
			Method: "POST", URL: "/login", Header: http.Header{"Accept": {"*/*"}, "Content-Type": {"text/plain"}}, Body: []byte("hello"),
		}, Weight: 1},
		{Target: vegeta.Target{Method: "GET", URL: "/api/randoms?cant=500", Body: []byte{}}, Draws: 500},
	}
	if diff := cmp.Diff(want, s.Requests); diff != "" || s.Name != "shop" {
		t.Errorf("Load: name %q, requests (-want +got)\n%s", s.Name, diff)
	}
	if got := counts(s, 0, 400); got[0] != 300 || got[1] != 100 || got[2] != 0 {
		t.Errorf("of 400 hits the requests get %v, want 300, 100, 0", got)
	}
	if _, err := Load(file + "x"); err == nil || !strings.Contains(err.Error(), "shop.yamlx") {
		t.Errorf("Load of no file: %v, want an error that names it", err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "it has no requests"},
		{"requests: []", "it has no requests"},
		{"requests:\n  - path: /a\n    wieght: 3\n", "line 3, column 5: unknown field \"wieght\""},
		{"reqests:\n  - path: /a\n", "line 1, column 1: unknown field \"reqests\""},
		{"requests:\n  - path: a\n", "line 2, column 11: path: \"a\" must begin with a slash and contain no blanks"},
		{"requests:\n  - path: \"/a b\"\n", "line 2, column 11: path: \"/a b\" must begin with a slash"},
		{"requests:\n  - path: /a\n  - path: /b\n    weight: -1\n", "line 4, column 13: weight: -1 is negative"},
		{"requests:\n  - path: /a\n    method: \"G T\"\n", "line 3, column 13: method: \"G T\" is none"},
		{"requests:\n  - method: GET\n", "line 2, column "},
		{"requests:\n  - path: /a\n    headers: {\"X Y\": z}\n", "headers: \"X Y\" can't be sent"},
		{"requests:\n  - path: /a\n    weight: many\n", "line 3, column 13: "},
		{"requests:\n  - path: /a\n    weight: 0\n", "no request has a weight above 0"},
		{"requests:\n  - path: [/a\n", "line "},
		{"requests: !0 0", "no YAML that can be read"},
	} {
		_, err := Parse("x", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse(%q): error %v, want one line with %q", c.text, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("requests:\n  - path: /a\n    weight: 3\n"))
	f.Add([]byte("name: x\nrequests:\n  - {method: POST, path: /b, headers: {A: b}, body: c}\n"))
	f.Add([]byte("requests: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("x", text)
		if err == nil {
			s.At(1 << 40)
		}
	})
}

// signupServer is a site as server is one; every third user is turned away if full.
func signupServer(t *testing.T, answer func(n int64, w http.ResponseWriter)) string {
	t.Helper()
	var users atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/signup" || r.FormValue("email") == "" || r.FormValue("password") == "" ||
			r.FormValue("name") == "" || r.UserAgent() != "loadgen/x" {
			t.Errorf("got %s %s with %v", r.Method, r.URL, r.Form)
		}
		answer(users.Add(1), w)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestSignUp(t *testing.T) {
	url := signupServer(t, func(n int64, w http.ResponseWriter) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: strconv.FormatInt(n, 10), Path: "/"})
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusFound)
	})
	cookies, err := Accounts{URL: url, UserAgent: "loadgen/x", Prefix: "p"}.SignUp(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	different := map[string]bool{}
	for _, c := range cookies {
		different[c] = strings.HasPrefix(c, "sid=")
	}
	if len(different) != 10 {
		t.Errorf("SignUp = %q, want ten different cookies", cookies)
	}
	s, err := SignedIn(cookies)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range counts(s, 0, 100) {
		if n != 10 || s.Requests[i].Header.Get("Cookie") != cookies[i] || s.Requests[i].URL != "/" {
			t.Errorf("user %d sends %+v %d times of 100, want GET / with its cookie 10 times", i, s.Requests[i], n)
		}
	}
}

func TestSignUpFails(t *testing.T) {
	for _, c := range []struct {
		answer func(n int64, w http.ResponseWriter)
		want   string
	}{
		{func(_ int64, w http.ResponseWriter) {
			w.Header().Set("Location", "/failsignup")
			w.WriteHeader(http.StatusFound)
		}, "answered 302 Found /failsignup"},
		{func(_ int64, w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "answered 404 Not Found"},
		{func(_ int64, w http.ResponseWriter) {
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusFound)
		}, "sets no cookie"},
	} {
		url := signupServer(t, c.answer)
		_, err := Accounts{URL: url, UserAgent: "loadgen/x", Prefix: "p"}.SignUp(context.Background(), 3)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/signup") {
			t.Errorf("SignUp: error %v, want one with %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Accounts{URL: "http://127.0.0.1:1"}).SignUp(ctx, 1); err == nil {
		t.Error("SignUp with a context that is done: no error")
	}
}

func TestBreaks(t *testing.T) {
	if got := Breaks(map[string]int64{"200": 100, "302": 3, "303": 1, "401": 2, "500": 7}); got != 6 {
		t.Errorf("Breaks = %d, want 6", got)
	}
}
