package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"balanceo/topology/cli"
	"balanceo/topology/layout"
)

func TestParseOptions(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("MONGO_URL=mongodb://file/\nCANT_DEFAULT=5\nEXP_TIME=1500\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("other.env", []byte("CANT_DEFAULT=6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("bom.env", []byte("\ufeffCANT_DEFAULT=7\r\nMONGO_URL=\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		env  map[string]string
		want func(o *options) bool
	}{
		{"defaults", []string{"--"}, nil, func(o *options) bool {
			return o.port == 8080 && o.mode == layout.Fork && o.workers == runtime.NumCPU() && o.host == "127.0.0.1" &&
				o.randoms == randomsInproc && !o.worker && o.testDelay == 0
		}},
		{"short flags", []string{"-p", "9000", "-m", "CLUSTER", "-w", "3"}, nil, func(o *options) bool {
			return o.port == 9000 && o.mode == layout.Cluster && o.workers == 3
		}},
		{"spanish, one dash", []string{"-puerto", "9001", "-modo=Cluster"}, nil, func(o *options) bool {
			return o.port == 9001 && o.mode == layout.Cluster
		}},
		{".env", []string{"--"}, nil, func(o *options) bool {
			return o.mongoURL == "mongodb://file/" && o.cantDefault == 5 && o.sessionLife == 1500*time.Millisecond
		}},
		{"the environment beats .env", []string{"--"}, map[string]string{"MONGO_URL": "mongodb://env/", "CANT_DEFAULT": "7"}, func(o *options) bool {
			return o.mongoURL == "mongodb://env/" && o.cantDefault == 7
		}},
		{"an empty variable beats .env too", []string{"--"}, map[string]string{"MONGO_URL": ""}, func(o *options) bool { return o.mongoURL == "" }},
		{"a flag beats both", []string{"--mongo-url", "mongodb://flag/"}, map[string]string{"MONGO_URL": "mongodb://env/"}, func(o *options) bool {
			return o.mongoURL == "mongodb://flag/"
		}},
		{"another file", []string{"--env-file", "other.env"}, nil, func(o *options) bool {
			return o.mongoURL == "" && o.cantDefault == 6 && o.sessionLife == 10*time.Minute
		}},
		{"a byte-order mark, and an empty value", []string{"--env-file", "bom.env"}, nil, func(o *options) bool {
			return o.cantDefault == 7 && o.mongoURL == ""
		}},
		{"an empty flag beats both", []string{"--mongo-url="}, map[string]string{"MONGO_URL": "mongodb://env/"}, func(o *options) bool {
			return o.mongoURL == ""
		}},
		{"an address in brackets", []string{"--host", "[::1]"}, nil, func(o *options) bool { return o.host == "::1" }},
		{"a small CANT_MAX bounds the default", []string{"--env-file", os.DevNull}, map[string]string{"CANT_MAX": "10"}, func(o *options) bool {
			return o.cantMax == 10 && o.cantDefault == 10
		}},
		{"a worker hides how it was called", []string{"--as-worker", "-p", "1"}, nil, func(o *options) bool {
			return o.worker && slices.Equal(o.args, []string{"-p", "1"})
		}},
		{"database", []string{"database", "--dir", "d", "--idle-exit", "2s"}, nil, func(o *options) bool {
			return o.database != nil && o.database.Dir == "d" && o.database.idleExit == 2*time.Second
		}},
		{"process, and a delay", []string{"--randoms", "PROCESS", "--test-delay", "200us"}, nil, func(o *options) bool {
			return o.randoms == randomsProcess && o.testDelay == 200*time.Microsecond
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := parseOptions(tt.args, func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
			if err != nil {
				t.Fatalf("parseOptions(%q): %v", tt.args, err)
			}
			if !tt.want(o) {
				t.Errorf("parseOptions(%q) with %v = %+v", tt.args, tt.env, o)
			}
		})
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(".", "bad.env"), []byte("CANT_DEFAULT=many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-p", "-1"},
		{"-p", "99999"},
		{"-p", "8080x"},
		{"-m", "THREADS"},
		{"-w", "257"},
		{"--randoms", ""},
		{"--host", ""},
		{"--host", "[]"},
		{"--host", "256.1.1.1"},
		{"--env-file", "bad.env"},
		{"--env-file", "."},
		{"--test-delay", "-1s"},
		{"database", "--idle-exit", "soon"},
		{"serve"},
	} {
		_, err := parseOptions(args, func(string) (string, bool) { return "", false })
		var usage *cli.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("parseOptions(%q) = %v, want a UsageError", args, err)
		}
	}
}

// FuzzEnvFile: a file is read, or refused as one; what is read is within what the options accept.
func FuzzEnvFile(f *testing.F) {
	for _, text := range []string{
		"MONGO_URL=mongodb://file/\nCANT_DEFAULT=5\nEXP_TIME=1500\n", "\ufeffCANT_MAX=7\r\nMONGO_URL=\r\n", "export TRUSTED_PROXIES=\"10.0.0.0/8, ::1/128\" # ours\n",
		"CANT_MAX=1e3", "EXP_TIME='", "CANT_DEFAULT=${CANT_MAX}\nCANT_MAX=9", "\x00", "A=\xff", "=", "MONGO_URL",
	} {
		f.Add([]byte(text))
	}
	name := filepath.Join(f.TempDir(), "fuzz.env")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := parseOptions([]string{"--env-file", name}, func(string) (string, bool) { return "", false })
		var usage *cli.UsageError
		if err != nil {
			if !errors.As(err, &usage) {
				t.Errorf("%q: %v, want a UsageError", text, err)
			}
			return
		}
		if o.cantDefault < 1 || o.cantDefault > o.cantMax || o.sessionLife <= 0 {
			t.Errorf("%q is read as %+v", text, o)
		}
	})
}
