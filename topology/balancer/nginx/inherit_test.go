package nginx

import (
	"os"
	"path/filepath"
	"testing"
)

func TestListenHost(t *testing.T) {
	for _, tt := range []struct {
		listens string
		host    string
		ok      bool
	}{
		{"listen 127.0.0.1:8000;", "127.0.0.1", true},
		{"listen 8000;", "", true},
		{"listen *:8000 default_server;", "", true},
		{"listen 8001; listen 127.0.0.1:8000;", "127.0.0.1", true},
		{"listen 8000; } server { listen 8000;", "", true},
		{"listen 8000; listen 127.0.0.1:8000;", "", false},
		{"listen 8000; listen [::]:8000;", "", false},
		{"listen 8000 reuseport;", "", false},
		{"listen localhost:8000;", "", false},
		{"listen unix:/a.sock;", "", false},
		{"listen 8001;", "", false},
	} {
		file := filepath.Join(t.TempDir(), "nginx.conf")
		if err := os.WriteFile(file, []byte("http { server { "+tt.listens+" } }"), 0o600); err != nil {
			t.Fatal(err)
		}
		if host, ok := (Nginx{}).ListenHost(file, 8000); host != tt.host || ok != tt.ok {
			t.Errorf("ListenHost of %q: got %q, %v, want %q, %v", tt.listens, host, ok, tt.host, tt.ok)
		}
	}
}
