package app

import (
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

// serve runs an application on a free port until the test ends and returns its base URL.
func serve(t testing.TB, cfg Config) (*App, string) {
	t.Helper()
	a, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatalf("New(%+v): %v", cfg, err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(a.Handler())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		if err := a.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Errorf("Close: %v", err)
		}
		if err := server.Shutdown(); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return a, "http://" + ln.Addr().String()
}

func TestPagesWithoutDatabase(t *testing.T) {
	_, url := serve(t, Config{Mode: "FORK", Port: 8080})
	for _, c := range []struct {
		path string
		want int
	}{
		{"/info", 200},
		{"/login", 200},
		{"/signup", 200},
		{"/faillogin", 200},
		{"/failsignup", 200},
		{"/healthz", 200},
		{"/nowhere", 404},
		{"/api/randoms", 503},
		{"/static/app.css", 200},
	} {
		got, _, err := fasthttp.Get(nil, url+c.path)
		if err != nil || got != c.want {
			t.Errorf("GET %s: got %d, %v; want %d", c.path, got, err, c.want)
		}
	}
}
