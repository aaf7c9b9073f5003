package app

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/server/serve"
	"balanceo/server/store/storetest"
)

func TestFixedPagesNeedNoDatabase(t *testing.T) {
	p := start(t, "", Config{Mode: "FORK", Port: 8080})
	b := newBrowser(t)
	for _, c := range []struct {
		path, contains string
		want           int
	}{
		{"/info", `"mode":"FORK","port":8080,"rss":`, 200},
		{"/login", `action="/login"`, 200},
		{"/signup", `action="/signup"`, 200},
		{"/faillogin", "Credenciales incorrectas!", 200},
		{"/failsignup", "registrado", 200},
		{"/healthz", `"status":"ready"`, 200},
		{"/nowhere", "Ruta /nowhere (Método GET) no implementada", 404},
		{"/%3Cscript%3E", "Ruta /&lt;script&gt; (Método GET)", 404},
		{"/api/randoms", "error", 503},
		{"/static/app.css", ":root", 200},
		{"/", "", 302},
		{"/checkAuth", `{"auth":false}`, 200},
	} {
		got := b.get(p.url + c.path)
		if got.status != c.want || !strings.Contains(got.body, c.contains) {
			t.Errorf("GET %s: got %d %.300q, want %d with %q", c.path, got.status, got.body, c.want, c.contains)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Content-Security-Policy": contentPolicy,
		} {
			if got.header.Get("Content-Type") != contentHTML && name != "X-Content-Type-Options" {
				want = "" // it means something to pages only
			}
			if got := got.header.Get(name); got != want {
				t.Errorf("GET %s: header %s: got %q, want %q", c.path, name, got, want)
			}
		}
	}
	for _, path := range []string{"/faillogin", "/failsignup"} {
		if body := b.get(p.url + path).body; !strings.Contains(body, `http-equiv="refresh"`) {
			t.Errorf("GET %s does not go back by itself: %s", path, body)
		}
	}
}

func TestPagesHaveNoInlineCode(t *testing.T) {
	p := start(t, "", Config{})
	for _, name := range []string{"login.html", "signup.html", "home.html", "info.html", "message.html"} {
		rendered, err := p.pages.render(name, view{
			Title: "x", Script: "home.js", Facts: p.info.facts, Problems: []problem{{"name", "x"}, {"email", "x"}, {"password", "x"}},
			Form: account{"a", "b", "c"}, Name: "x", Heading: "x", Text: "x", Link: "/", LinkText: "x", Back: "/", Wait: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		body := string(rendered)
		for _, bad := range []string{"<style", "style=", "onclick", "onload", "javascript:", "http://", "https://"} {
			if i := strings.Index(strings.ReplaceAll(body, `placeholder="https://…"`, ""), bad); i >= 0 {
				t.Errorf("page %s contains %q", name, bad)
			}
		}
		for rest := body; ; {
			_, after, ok := strings.Cut(rest, "<script")
			if !ok {
				break
			}
			if !strings.HasPrefix(after, ` src="/static/`) {
				t.Errorf("page %s has an inline script: %.80s", name, after)
			}
			rest = after
		}
	}
}

func TestInfoAsPage(t *testing.T) {
	p := start(t, "", Config{Args: []string{"-p", "<8080>"}})
	for _, c := range []struct{ accept, want string }{
		{"", contentJSON},
		{"*/*", contentJSON},
		{"application/json", contentJSON},
		{"text/html", contentHTML},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", contentHTML},
		{"application/json, text/html;q=0.9", contentJSON},
		{"text/*;q=0.5, application/json;q=0.4", contentHTML},
		{"text/html;q=0", contentJSON},
		{"text/html;q=nonsense, */*", contentJSON},
	} {
		req, err := http.NewRequest(http.MethodGet, p.url+"/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", c.accept)
		got := newBrowser(t).do(req)
		if kind := got.header.Get("Content-Type"); got.status != 200 || kind != c.want {
			t.Errorf("GET /info, Accept %q: got %d %s, want 200 %s", c.accept, got.status, kind, c.want)
		}
		if c.want == contentHTML && !strings.Contains(got.body, "&lt;8080&gt;") {
			t.Errorf("the page does not show the arguments escaped: %s", got.body)
		}
	}
}

func TestAccount(t *testing.T) {
	db := storetest.Run(t)
	one, other := start(t, db, Config{}), start(t, db, Config{})
	b := newBrowser(t)
	b.signup(one, "Ana@Example.com", "Ana <b>")

	// Sixty requests, ten at a time, over both processes.
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for j := range 6 {
				p := one
				if (i+j)%2 == 1 {
					p = other
				}
				if got := b.get(p.url + "/"); got.status != 200 || !strings.Contains(got.body, "Ana &lt;b&gt;") {
					t.Errorf("GET / signed in: got %d %.100q, want 200 with the name", got.status, got.body)
				}
			}
		})
	}
	wg.Wait()
	if got := b.get(other.url + "/checkAuth"); got.body != `{"auth":true}` {
		t.Errorf("GET /checkAuth signed in: got %s", got.body)
	}

	stolen := b.cookie(one)
	if got := b.get(other.url + "/logout"); got.status != 200 || !strings.Contains(got.body, "Hasta luego, Ana &lt;b&gt;!") {
		t.Errorf("GET /logout: got %d %s", got.status, got.body)
	}
	for _, p := range []*process{one, other} {
		req, err := http.NewRequest(http.MethodGet, p.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", stolen)
		if got := newBrowser(t).do(req); got.status != 302 || got.location != "/login" {
			t.Errorf("GET / with the old cookie: got %d to %q, want 302 to /login", got.status, got.location)
		}
	}

	for _, c := range []struct {
		what, path string
		form       url.Values
		headers    []string
		status     int
		location   string
	}{
		{"wrong password", "/login", signupForm("ana@example.com", "otra", ""), nil, 302, "/faillogin"},
		{"nobody", "/login", signupForm("eva@example.com", "una clave", ""), nil, 302, "/faillogin"},
		{"nothing", "/login", nil, nil, 302, "/faillogin"},
		{"e-mail taken", "/signup", signupForm(" ANA@example.com", "otra", "Ana"), nil, 302, "/failsignup"},
		{"no e-mail", "/signup", signupForm("ana", "clave", "Ana"), nil, 400, ""},
		{"no name", "/signup", signupForm("eva@example.com", "clave", " "), nil, 400, ""},
		{"name that reads backwards", "/signup", signupForm("eva@example.com", "clave", "\u202eavE"), nil, 400, ""},
		{"e-mail that reads backwards", "/signup", signupForm("\u2066eva@example.com", "clave", "Eva"), nil, 400, ""},
		{"no password", "/signup", signupForm("eva@example.com", "", "Eva"), nil, 400, ""},
		{"long password", "/signup", signupForm("eva@example.com", strings.Repeat("x", 73), "Eva"), nil, 400, ""},
		{"from another site", "/login", signupForm("ana@example.com", "una clave", ""), []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"from another port", "/login", signupForm("ana@example.com", "una clave", ""), []string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		{"foreign origin", "/signup", signupForm("eva@example.com", "clave", "Eva"), []string{"Origin", "http://evil.example"}, 403, ""},
		{"own origin", "/login", signupForm("ana@example.com", "una clave", ""), []string{"Origin", one.url}, 302, "/"},
		{"own page", "/login", signupForm("ana@example.com", "una clave", ""), []string{"Sec-Fetch-Site", "same-origin"}, 302, "/"},
		{"right", "/login", signupForm("ANA@example.com ", "una clave", ""), nil, 302, "/"},
	} {
		got := newBrowser(t).post(one.url+c.path, c.form, c.headers...)
		if got.status != c.status || got.location != c.location {
			t.Errorf("%s: POST %s %v: got %d to %q, want %d to %q", c.what, c.path, c.form, got.status, got.location, c.status, c.location)
		}
		if strings.Contains(got.header.Get("Set-Cookie"), cookieName+"=") != (c.location == "/") {
			t.Errorf("%s: POST %s: Set-Cookie %q", c.what, c.path, got.header.Get("Set-Cookie"))
		}
	}
	got := newBrowser(t).post(one.url+"/signup", signupForm(`"><script>`, "clave", "Eva"))
	if strings.Contains(got.body, "<script>") || !strings.Contains(got.body, "Escribí un e-mail") {
		t.Errorf("the form with its problems: %s", got.body)
	}
}

func TestSessionIDIsNewAtSignIn(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	b := newBrowser(t)
	planted := strings.Repeat("a", 48)
	got := b.post(p.url+"/signup", signupForm("ana@example.com", "clave", "Ana"), "Cookie", cookieName+"="+planted)
	first := b.cookie(p)
	if got.status != 302 || first == "" || strings.Contains(first, planted) {
		t.Errorf("after sign-up with a planted id: %d, cookie %q", got.status, first)
	}
	for _, want := range []string{"HttpOnly", "SameSite=Lax"} {
		if set := got.header.Get("Set-Cookie"); !strings.Contains(set, want) {
			t.Errorf("Set-Cookie %q lacks %s", set, want)
		}
	}
	b.post(p.url+"/login", signupForm("ana@example.com", "clave", ""))
	if second := b.cookie(p); second == first {
		t.Errorf("signing in again kept the id %q", first)
	}
	req, err := http.NewRequest(http.MethodGet, p.url+"/checkAuth", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", first)
	if got := newBrowser(t).do(req); got.body != `{"auth":false}` {
		t.Errorf("the id before signing in again is still good: %s", got.body)
	}
}

func TestSecureCookieBehindTLS(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	got := newBrowser(t).post(p.url+"/signup", signupForm("ana@example.com", "clave", "Ana"), "X-Forwarded-Proto", "https")
	if set := got.header.Get("Set-Cookie"); !strings.Contains(strings.ToLower(set), "secure") {
		t.Errorf("behind a proxy with TLS: Set-Cookie %q is not Secure", set)
	}
}

func TestProxyIsTrustedOnThisMachineOnly(t *testing.T) {
	for _, c := range []struct {
		from, proto string
		want        bool
	}{
		{"127.0.0.1", "https", true},
		{"127.0.0.1", "HTTPS", true},
		{"::1", "https", true},
		{"127.0.0.1", "http", false},
		{"127.0.0.1", "", false},
		{"192.0.2.7", "https", false},
		{"::ffff:192.0.2.7", "https", false},
	} {
		var req fasthttp.Request
		req.Header.Set("X-Forwarded-Proto", c.proto)
		var ctx fasthttp.RequestCtx
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(c.from), Port: 1}, nil)
		if got := secure(&ctx); got != c.want {
			t.Errorf("X-Forwarded-Proto %q from %s: secure is %t, want %t", c.proto, c.from, got, c.want)
		}
	}
}

// Behind a proxy that was named a client is told by its address, and nobody else's word counts.
func TestNamedProxyIsTrusted(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for from, want := range map[string]string{"10.1.2.3": "192.0.2.9", "::ffff:10.1.2.3": "192.0.2.9", "11.0.0.1": "11.0.0.1", "127.0.0.1": "192.0.2.9"} {
		var req fasthttp.Request
		req.Header.Set("X-Real-IP", "192.0.2.9")
		var ctx fasthttp.RequestCtx
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(from), Port: 1}, nil)
		var got string
		trusting(proxies, func(ctx *fasthttp.RequestCtx) { got = clientAddress(ctx) })(&ctx)
		if got != want {
			t.Errorf("X-Real-IP of a client behind %s: its address is %s, want %s", from, got, want)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	p := start(t, "", Config{})
	got := newBrowser(t).post(p.url+"/signup", signupForm("ana@example.com", strings.Repeat("x", serve.MaxBody), "Ana"))
	if got.status != http.StatusBadRequest || strings.Contains(got.body, "<form") {
		t.Errorf("POST /signup of more than %d bytes: got %d %.100q, want 400 and no page: it is not read", serve.MaxBody, got.status, got.body)
	}
}

// An idle session ends, an active one does not, although most requests write nothing.
func TestSessionExpires(t *testing.T) {
	t.Parallel()
	const life = 3 * time.Second
	db := storetest.Run(t)
	p, other := start(t, db, Config{SessionLife: life}), start(t, db, Config{SessionLife: life})
	b := newBrowser(t)
	b.signup(p, "ana@example.com", "Ana")
	for began := time.Now(); time.Since(began) < 2*life; time.Sleep(life / 8) {
		if got := b.get(p.url + "/"); got.status != 200 {
			t.Fatalf("an active session ended after %v: %d", time.Since(began), got.status)
		}
	}
	time.Sleep(life + life/10)
	for _, p := range []*process{p, other} {
		if got := b.get(p.url + "/"); got.status != 302 {
			t.Errorf("an idle session lives on: %d", got.status)
		}
	}
}

// Of many sign-ups of one e-mail at once one makes the account, and all others learn that it is taken.
func TestManySignupsOfOneEmail(t *testing.T) {
	db := storetest.Run(t)
	hashing := Config{hasher: newHasher()}
	one, other := start(t, db, hashing), start(t, db, Config{hasher: newHasher()})
	places := make(chan string, 50)
	var wg sync.WaitGroup
	for i := range cap(places) {
		wg.Go(func() {
			p := []*process{one, other}[i%2]
			got := newBrowser(t).post(p.url+"/signup", signupForm("ana@example.com", "clave", "Ana"))
			places <- fmt.Sprint(got.status, " ", got.location)
		})
	}
	wg.Wait()
	close(places)
	count := map[string]int{}
	for place := range places {
		count[place]++
	}
	if count["302 /"] != 1 || count["302 /failsignup"] != cap(places)-1 {
		t.Errorf("%v, want 1 account and %d times that it is taken", count, cap(places)-1)
	}
}

// Who guesses is stopped, in all processes at once; the right password from elsewhere gets in, and so do others
// from the same address.
func TestGuessing(t *testing.T) {
	db := storetest.Run(t)
	one, other := start(t, db, Config{}), start(t, db, Config{})
	newBrowser(t).signup(one, "ana@example.com", "Ana")
	newBrowser(t).signup(one, "eva@example.com", "Eva")
	attempt := func(p *process, from, email, password string) answer {
		t.Helper()
		return newBrowser(t).post(p.url+"/login", signupForm(email, password, ""), "X-Real-IP", from)
	}
	const guesser, elsewhere = "192.0.2.1", "192.0.2.2"
	for i := range guessAccount {
		if got := attempt([]*process{one, other}[i%2], guesser, "ana@example.com", strconv.Itoa(i)); got.location != "/faillogin" {
			t.Fatalf("attempt %d: got %d to %q, want /faillogin", i, got.status, got.location)
		}
	}
	for _, p := range []*process{one, other} {
		got := attempt(p, guesser, "ANA@example.com", "una clave")
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || wait < 1 || wait > int(guessWindow.Seconds()) {
			t.Errorf("one more attempt: got %d, Retry-After %q; want 429 with the seconds", got.status, got.header.Get("Retry-After"))
		}
	}
	if got := attempt(one, elsewhere, "ana@example.com", "una clave"); got.location != "/" {
		t.Errorf("the right password from elsewhere: got %d to %q, want to /", got.status, got.location)
	}
	for range 2 * guessAddress / 10 { // right passwords are not counted
		if got := attempt(other, guesser, "eva@example.com", "una clave"); got.location != "/" {
			t.Fatalf("the right password of another account: got %d to %q, want to /", got.status, got.location)
		}
	}
	for i := range guessAddress - guessAccount {
		if got := attempt(one, guesser, fmt.Sprintf("%d@example.com", i), "x"); got.location != "/faillogin" {
			t.Fatalf("attempt %d for many accounts: got %d to %q, want /faillogin", i, got.status, got.location)
		}
	}
	if got := attempt(one, guesser, "eva@example.com", "x"); got.status != 429 {
		t.Errorf("one more attempt for many accounts: got %d, want 429", got.status)
	}
	if got := attempt(one, elsewhere, "eva@example.com", "una clave"); got.location != "/" {
		t.Errorf("from elsewhere: got %d to %q, want to /", got.status, got.location)
	}
}

func TestSigningOutIsMeant(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	for _, c := range []struct {
		what, method string
		headers      []string
		out          bool
	}{
		{"curl", "GET", []string{"Accept", "*/*"}, true},
		{"nothing said", "GET", nil, true},
		{"a link", "GET", []string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin", "Accept", "text/html,image/webp,*/*;q=0.8"}, true},
		{"a link, without Sec-Fetch", "GET", []string{"Accept", "text/html,application/xhtml+xml,image/avif,*/*;q=0.8"}, true},
		{"a form", "POST", []string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin"}, true},
		{"a form, without Sec-Fetch", "POST", []string{"Origin", p.url}, true},
		{"a form of another site", "POST", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"a form of another site, without Sec-Fetch", "POST", []string{"Origin", "http://evil.example"}, false},
		{"a link of another site", "GET", []string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"}, false},
		{"HEAD", "HEAD", nil, false},
		{"a picture", "GET", []string{"Sec-Fetch-Dest", "image", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin"}, false},
		{"a picture, without Sec-Fetch", "GET", []string{"Accept", "image/avif,image/webp,*/*;q=0.8"}, false},
		{"a frame", "GET", []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate"}, false},
		{"fetch", "GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"}, false},
		{"prefetch", "GET", []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"}, false},
		{"prefetch as it was", "GET", []string{"X-Moz", "prefetch"}, false},
	} {
		b := newBrowser(t)
		b.signup(p, fmt.Sprintf("%d@example.com", time.Now().UnixNano()), "Ana")
		req, err := http.NewRequest(c.method, p.url+"/logout", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(c.headers); i += 2 {
			req.Header.Set(c.headers[i], c.headers[i+1])
		}
		got := b.do(req)
		if in := b.get(p.url+"/checkAuth").body == `{"auth":true}`; in == c.out {
			t.Errorf("%s: /logout answers %d; still signed in: %t", c.what, got.status, in)
		}
	}
}

// After a failure the form is shown once more with what was given, the error at its field, which has the focus.
func TestFormsAreShownAgain(t *testing.T) {
	p := start(t, storetest.Run(t), Config{})
	newBrowser(t).signup(p, "ana@example.com", "Ana")
	for _, c := range []struct {
		path, fail string
		form       url.Values
		want       []string
	}{
		{"/login", "/faillogin", signupForm(" Ana@example.com", "x", ""), []string{`value="ana@example.com"`, `aria-invalid="true" autofocus`, "no coinciden.</p>"}},
		{"/signup", "/failsignup", signupForm("ana@example.com", "x", `A "B" <i>`), []string{`value="ana@example.com"`, `value="A &#34;B&#34; &lt;i&gt;"`, `aria-invalid="true" autofocus`, "registrado: elegí otro"}},
	} {
		b := newBrowser(t)
		if got := b.post(p.url+c.path, c.form); got.location != c.fail {
			t.Fatalf("POST %s: got %d to %q", c.path, got.status, got.location)
		}
		b.get(p.url + c.fail)
		again := b.get(p.url + c.path)
		for _, want := range c.want {
			if !strings.Contains(again.body, want) {
				t.Errorf("GET %s after a failure lacks %q:\n%s", c.path, want, again.body)
			}
		}
		if strings.Count(again.body, " autofocus") != 1 || again.header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s after a failure: focus or Cache-Control are wrong:\n%s", c.path, again.body)
		}
		if later := b.get(p.url + c.path); strings.Contains(later.body, "ana@example.com") {
			t.Errorf("GET %s shows what was given a second time", c.path)
		}
	}
}

func TestMemoryIsThatOfTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := int64(0)
		in := &info{rss: func() int64 { reads++; return reads }, began: time.Now()}
		in.when.Store(-2 * int64(rssShared))
		for _, c := range []struct {
			later time.Duration
			want  int64
		}{{0, 1}, {rssShared / 2, 1}, {rssShared, 2}, {time.Hour, 3}} {
			time.Sleep(c.later)
			if got := in.memory(); got != c.want {
				t.Errorf("%v later the memory is that of reading %d, want %d", c.later, got, c.want)
			}
		}
	})
}

func TestEmailsAreNormalized(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{" Ana@Example.COM\t", "ana@example.com"},
		{"jose\u0301@example.com", "josé@example.com"},
		{"JOSE\u0301@example.com", "josé@example.com"},
		{"\xff\xfe@example.com", ""},
		{"", ""},
	} {
		if got := normalEmail(c.given); got != c.want {
			t.Errorf("normalEmail(%q) = %q, want %q", c.given, got, c.want)
		}
	}
}

func TestNoPasswordIsShown(t *testing.T) {
	args := []string{
		"--mongo-url", "mongodb://u:secret@h1:1,h2:2/db?x=1", "--mongo-url=mongodb+srv://u:sec:ret@h/db",
		"mongodb://u@h/?tlsCertificateKeyFilePassword=secret&x=2", "-p", "8080", "http://h:80/a:b@c",
	}
	p := start(t, "", Config{Args: args})
	for _, accept := range []string{"*/*", "text/html"} {
		req, err := http.NewRequest(http.MethodGet, p.url+"/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		if got := newBrowser(t).do(req); strings.Contains(got.body, "secret") || strings.Contains(got.body, "sec:ret") || !strings.Contains(got.body, "8080") {
			t.Errorf("/info for %s: %s", accept, got.body)
		}
	}
	want := []string{
		"--mongo-url", "mongodb://u:xxxxx@h1:1,h2:2/db?x=1", "--mongo-url=mongodb+srv://u:xxxxx@h/db",
		"mongodb://u@h/?tlsCertificateKeyFilePassword=xxxxx&x=2", "-p", "8080", "http://h:80/a:b@c",
	}
	if got := redacted(args); !slices.Equal(got, want) {
		t.Errorf("redacted:\n got %q\nwant %q", got, want)
	}
}

// A flood of sign-ins is bounded, and others are served meanwhile.
func TestLoginFlood(t *testing.T) {
	p := start(t, storetest.Run(t), Config{hasher: newHasher()})
	for range 5 { // a machine that is too busy may have time for none at first
		if count := flood(t, p); count[302] > 0 {
			return
		}
	}
	t.Error("of 5 floods of sign-ins none was served at all, want some 302")
}

// flood counts the statuses of many sign-ins at once.
func flood(t *testing.T, p *process) map[int]int {
	t.Helper()
	b := newBrowser(t)
	const flood = 80
	statuses := make(chan int, flood)
	var wg sync.WaitGroup
	for range flood {
		wg.Go(func() {
			statuses <- b.post(p.url+"/login", signupForm("eva@example.com", "clave", "")).status
		})
	}
	first := <-statuses // the flood has arrived
	if got := b.get(p.url + "/info"); got.status != 200 {
		t.Errorf("GET /info during the flood: got %d", got.status)
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{first: 1}
	for s := range statuses {
		count[s]++
	}
	if count[302]+count[429]+count[503] != flood {
		t.Errorf("of %d sign-ins at once: %v, want 302, and the others refused", flood, count)
	}
	return count
}
