package scenario

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"balanceo/loadgen/attack"
)

// Accounts says where and how users are signed up.
type Accounts struct {
	URL       string // of the target, without a path
	UserAgent string
	TLS       *tls.Config // nil: the system's authorities
	Prefix    string      // begins the users' e-mail addresses; nobody may have used it before
}

// signUpsAtOnce bounds the users who are signed up at the same time: each costs the server a bcrypt.
const signUpsAtOnce = 4

// SignUp signs up users and returns the value of the Cookie header of each.
func (a Accounts) SignUp(ctx context.Context, users int) ([]string, error) {
	client := &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: a.TLS.Clone(), MaxIdleConnsPerHost: signUpsAtOnce},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	cookies := make([]string, users)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(signUpsAtOnce)
	for i := range cookies {
		group.Go(func() error {
			cookie, err := a.signUp(ctx, client, i)
			if err != nil {
				return fmt.Errorf("sign up user %d of %d at %q: %w", i+1, users, a.URL+"/signup", err)
			}
			cookies[i] = cookie
			return nil
		})
	}
	return cookies, group.Wait()
}

func (a Accounts) signUp(ctx context.Context, client *http.Client, i int) (string, error) {
	form := url.Values{
		"email":    {fmt.Sprintf("%s-%d@loadgen.example", a.Prefix, i)},
		"password": {"loadgen"},
		"name":     {fmt.Sprintf("Loadgen %d", i+1)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/signup", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", a.UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	if to := resp.Header.Get("Location"); resp.StatusCode/100 != 3 || to != "" && pathOf(to) != "/" {
		return "", fmt.Errorf("answered %s %s", resp.Status, to)
	}
	var cookies []string
	for _, c := range resp.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	if len(cookies) == 0 {
		return "", errors.New("the answer sets no cookie")
	}
	return strings.Join(cookies, "; "), nil
}

func pathOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return location
	}
	return u.Path
}

// SignedIn is the scenario session: GET / by each of the users in turn, told apart by their cookies.
func SignedIn(cookies []string) (*Scenario, error) {
	requests := make([]attack.Request, len(cookies))
	for i, cookie := range cookies {
		requests[i] = attack.Get("/")
		requests[i].Header = http.Header{"Cookie": {cookie}}
	}
	return New(Session, requests)
}

// Breaks counts, in the answers to SignedIn by status code, those that show that the session was not known: a
// redirect, which GET / answers to a visitor only, and never to somebody who is signed in.
func Breaks(status map[string]int64) int64 {
	var n int64
	for code, count := range status {
		if strings.HasPrefix(code, "3") || code == "401" || code == "403" {
			n += count
		}
	}
	return n
}
