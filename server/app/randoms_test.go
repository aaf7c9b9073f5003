package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"", 0, false},
		{"abc", 0, false},
		{"0", 0, true},
		{"20000", 20000, true},
		{"-50", -50, true},
		{"+50", 50, true},
		{"12abc", 12, true},
		{"1e3", 1, true},
		{"3.9", 3, true},
		{".5", 0, false},
		{" \t\n\u00a0\ufeff42", 42, true},
		{"- 5", 0, false},
		{"--5", 0, false},
		{"0x1F", 31, true},
		{"-0X10", -16, true},
		{"0x", 0, false},
		{"0xg", 0, false},
		{"010", 10, true},
		{"99999999999999999999", math.MaxInt64, true},
		{"-99999999999999999999", -math.MaxInt64, true},
		{"Infinity", 0, false},
		{"١٢", 0, false},
	} {
		if got, ok := parseInt(c.text); got != c.want || ok != c.ok {
			t.Errorf("parseInt(%q) = %d, %t; want %d, %t", c.text, got, ok, c.want, c.ok)
		}
	}
}

// echoDraw answers with how many numbers were asked for.
func echoDraw(_ context.Context, b []byte, n int64) ([]byte, error) {
	return fmt.Appendf(b, `{"1": %d}`, n), nil
}

func TestRandoms(t *testing.T) {
	draw := func(ctx context.Context, b []byte, n int64) ([]byte, error) {
		if n == 13 {
			return b, errors.New("too many")
		}
		return echoDraw(ctx, b, n)
	}
	p := start(t, "", Config{Draw: draw, CantDefault: 777, CantMax: 1000})
	for _, c := range []struct {
		query  string
		status int
		body   string
	}{
		{"", 200, `{"1": 777}`},
		{"?cant=", 200, `{"1": 777}`},
		{"?cant=abc", 200, `{"1": 777}`},
		{"?cant=0", 200, `{"1": 777}`},
		{"?cant=-50", 200, `{"1": 50}`},
		{"?cant=+50", 200, `{"1": 50}`},
		{"?cant=12abc", 200, `{"1": 12}`},
		{"?cant=" + url.QueryEscape(" 7"), 200, `{"1": 7}`},
		{"?cant=5&cant=6", 200, `{"1": 5}`},
		{"?cant=1000", 200, `{"1": 1000}`},
		{"?cant=1001", 400, `{"cant_max":1000,"error":"cant is above the most allowed"}`},
		{"?cant=-99999999999999999999", 400, `{"cant_max":1000,"error":"cant is above the most allowed"}`},
		{"?cant=13", 503, `{"error":"too many"}`},
	} {
		got := newBrowser(t).get(p.url + "/api/randoms" + c.query)
		if got.status != c.status || got.body != c.body || got.header.Get("Content-Type") != contentJSON {
			t.Errorf("GET /api/randoms%s: got %d %s %s, want %d %s", c.query, got.status, got.header.Get("Content-Type"), got.body, c.status, c.body)
		}
		if (got.header.Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("GET /api/randoms%s: %d with Retry-After %q", c.query, got.status, got.header.Get("Retry-After"))
		}
	}
}
