package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
)

// guard lets in only those who are meant. A page of somebody else in the same browser is not: it is told by its Origin
// where it asks straight, and by the Host that it believes to talk to where it has had its own name point here (DNS
// rebinding). For an address beyond this machine one has to know the token.
type guard struct {
	host     string // of the URL
	port     string
	loopback bool
	token    string // "" on loopback
}

// cookie has the token once it was given in the URL. Cookies are not told apart by port, so its name is.
const cookie = "balanceo-ui-"

func newGuard(addr net.Addr) (*guard, error) {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return nil, fmt.Errorf("live page at %s: %w", addr, err)
	}
	host := at.Addr()
	if host.IsUnspecified() {
		host = outside(host)
	}
	g := &guard{host: host.String(), port: strconv.Itoa(int(at.Port())), loopback: at.Addr().IsLoopback()}
	if !g.loopback {
		g.token = rand.Text()
	}
	return g, nil
}

func (g *guard) url() string {
	url := "http://" + net.JoinHostPort(g.host, g.port) + "/"
	if g.token != "" {
		url += "?token=" + g.token
	}
	return url
}

// protect answers those that are not meant itself.
func (g *guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if why := g.refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		if g.token != "" && !g.knows(r) {
			given := r.URL.Query().Get("token")
			if !same(given, g.token) {
				http.Error(w, "this page wants the token that topology has printed: open the whole address", http.StatusUnauthorized)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: cookie + g.port, Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			if r.Method == http.MethodGet && r.URL.Path == "/" {
				http.Redirect(w, r, "/", http.StatusSeeOther) // the token does not stay in the address bar
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// refuse says why a request is none of ours; "" if it may be.
func (g *guard) refuse(r *http.Request) string {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, "80"
	}
	if port != g.port || !g.ours(host) {
		return fmt.Sprintf("host %q is not this page's", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return fmt.Sprintf("origin %q is not this page's", origin)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
	default:
		return fmt.Sprintf("a %s request: open the page itself", site)
	}
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "application/json" {
		return "Content-Type: accepted is application/json" // which a page of another origin has to ask for first
	}
	return ""
}

// ours tells whether a host can be nobody else's: an address, which no DNS answers for, or localhost.
func (g *guard) ours(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || !g.loopback)
}

func (g *guard) knows(r *http.Request) bool {
	c, err := r.Cookie(cookie + g.port)
	return err == nil && same(c.Value, g.token)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// outside is an address of this machine that others know it by, else the given one.
func outside(given netip.Addr) netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return given
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() && p.Addr().Is4() {
			return p.Addr()
		}
	}
	return given
}
