package fleet

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// awaitAnswers waits until every instance says that it is healthy and the balancer passes a request on.
func (f *Fleet) awaitAnswers(ctx context.Context) error {
	client := &http.Client{
		Timeout:       2 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	type question struct {
		name, url string
		good      func(status int) bool
	}
	asked := []question{{
		f.cfg.Balancer.Name(), fmt.Sprintf("http://%s:%d/", Loopback, f.cfg.Layout.HTTPPort),
		func(status int) bool { return status < http.StatusInternalServerError },
	}}
	for _, p := range f.instances() {
		asked = append(asked, question{
			p.name, fmt.Sprintf("http://%s:%d/healthz", Loopback, p.port),
			func(status int) bool { return status == http.StatusOK },
		})
	}
	errs := make([]error, len(asked))
	var wg sync.WaitGroup
	for i, q := range asked {
		wg.Go(func() {
			for {
				status, err := get(ctx, client, q.url)
				if err == nil && q.good(status) {
					return
				}
				if err == nil {
					err = fmt.Errorf("GET %s: status %d", q.url, status)
				}
				select {
				case <-ctx.Done():
					errs[i] = fmt.Errorf("%s does not answer: %w", q.name, err)
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
	return cmp.Or(errs...)
}

func get(ctx context.Context, client *http.Client, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, nil
}
