package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jessevdk/go-flags"
	"github.com/joho/godotenv"

	"balanceo/server/app"
	"balanceo/server/database"
	"balanceo/server/store"
	"balanceo/topology/cli"
	"balanceo/topology/layout"
)

// commandLine is what go-flags fills. Values that have more than one name, or that it would refuse in words
// of its own, are strings here and are read by options.
type commandLine struct {
	Port     string  `short:"p" long:"port" value-name:"N" description:"port to listen on; 0: any free one (default: 8080)"`
	Mode     string  `short:"m" long:"mode" value-name:"MODE" description:"FORK, one process, or CLUSTER, a master and its workers (default: FORK)"`
	Workers  string  `short:"w" long:"workers" value-name:"N" description:"workers of CLUSTER (default: number of cores)"`
	Host     string  `long:"host" value-name:"ADDRESS" description:"address to listen on" default:"127.0.0.1"`
	Randoms  string  `long:"randoms" value-name:"HOW" description:"draw random numbers inproc, or in a child process per request: process" default:"inproc"`
	EnvFile  *string `long:"env-file" value-name:"FILE" description:"file of NAME=value lines; the environment beats it (default: .env)"`
	MongoURL *string `long:"mongo-url" value-name:"URL" description:"MongoDB to use (default: MONGO_URL, else the embedded database in run/database); an address with a password belongs into MONGO_URL, everybody on this machine can read a flag"`
	Version  bool    `long:"version" description:"print the version"` // read by cli.Parse

	Puerto    string `long:"puerto" hidden:"true"`
	Modo      string `long:"modo" hidden:"true"`
	AsWorker  bool   `long:"as-worker" hidden:"true"`
	TestDelay string `long:"test-delay" hidden:"true"`

	Database databaseCommand `command:"database" description:"run the embedded database alone"`
}

type databaseCommand struct {
	Listen   string `long:"listen" value-name:"ADDRESS" description:"address to listen on" default:"127.0.0.1:27017"`
	Dir      string `long:"dir" value-name:"DIR" description:"where the data lies" default:"run/database"`
	Postgres string `long:"postgres" value-name:"URL" description:"keep the data in this PostgreSQL instead; its password belongs into PGPASSWORD"`
	NewsPort int    `long:"news-port" value-name:"N" description:"where changes are told, on the same address (default: any free port)"`
	IdleExit string `long:"idle-exit" value-name:"DURATION" description:"end when nobody has used it for so long (default: never)"`

	idleExit time.Duration
}

// check reads what is more than a word.
func (c *databaseCommand) check() (err error) {
	if c.NewsPort < 0 || c.NewsPort > 65535 {
		return cli.Usagef("--news-port: %d is given, a port is accepted, or 0 for any free one", c.NewsPort)
	}
	if c.Postgres != "" {
		if err := database.CheckPostgres(c.Postgres); err != nil {
			return cli.Usagef("--postgres: %w", err)
		}
	}
	c.idleExit, err = duration("--idle-exit", c.IdleExit)
	return err
}

// options is a call that was understood.
type options struct {
	args        []string         // as given, without what a master adds for its workers
	database    *databaseCommand // nil: serve the application
	port        int
	mode        layout.Mode
	workers     int
	host        string
	randoms     string
	mongoURL    string
	worker      bool // of a master
	testDelay   time.Duration
	sessionLife time.Duration
	cantDefault int64
	cantMax     int64
	proxies     []netip.Prefix
	instance    string
	scoreboard  string
}

// parseOptions reads the command line, then the environment by env, then .env, the earlier beating the later.
func parseOptions(args []string, env func(string) (string, bool)) (*options, error) {
	var line commandLine
	parser := flags.NewNamedParser("server", flags.HelpFlag|flags.PassDoubleDash)
	if _, err := parser.AddGroup("Options", "", &line); err != nil {
		return nil, err
	}
	parser.SubcommandsOptional = true
	parser.LongDescription = "Serves the web application.\n\n" +
		"TERM and INT let it finish what it answers, and end. In mode CLUSTER, HUP replaces the workers one by " +
		"one without losing a request, TTIN adds a worker and TTOU takes one away."
	if _, handed := env("LISTEN_FDS"); handed && len(args) == 0 { // by a supervisor; people get the help
		args = []string{"--"}
	}
	rest, err := cli.Parse(parser, args)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, cli.Usagef("%q is not understood: server takes options only, and the command database", rest[0])
	}
	o := &options{args: args, worker: line.AsWorker, host: strings.Trim(line.Host, "[]")}
	if o.worker {
		o.args = args[1:] // it comes first
	}
	if parser.Active != nil {
		o.database = &line.Database
		return o, o.database.check()
	}
	if err := o.readFlags(&line); err != nil {
		return nil, err
	}
	get, err := settings(line.EnvFile, env)
	if err != nil {
		return nil, err
	}
	if err := o.readSettings(get); err != nil {
		return nil, err
	}
	url := get("MONGO_URL")
	if line.MongoURL != nil {
		url = setting{"--mongo-url", *line.MongoURL}
	}
	if o.mongoURL = url.text; o.mongoURL != "" {
		if err := store.CheckURL(o.mongoURL); err != nil {
			return nil, cli.Usagef("%s: %w", url.name, err)
		}
	}
	return o, nil
}

// readFlags takes over what the flags say.
func (o *options) readFlags(line *commandLine) (err error) {
	port, flag := either(line.Port, "--port", line.Puerto, "--puerto")
	if o.port, err = number(flag, port, 8080, 0, 65535); err != nil {
		return err
	}
	if o.workers, err = number("--workers", line.Workers, min(runtime.NumCPU(), layout.MaxWorkers), 1, layout.MaxWorkers); err != nil {
		return err
	}
	mode, flag := either(line.Mode, "--mode", line.Modo, "--modo")
	switch o.mode = layout.Mode(strings.ToUpper(mode)); o.mode {
	case layout.Fork, layout.Cluster:
	case "":
		o.mode = layout.Fork
	default:
		return cli.Usagef("%s: %q is given, %s or %s is accepted", flag, mode, layout.Fork, layout.Cluster)
	}
	switch o.randoms = strings.ToLower(line.Randoms); o.randoms {
	case randomsInproc, randomsProcess:
	default:
		return cli.Usagef("--randoms: %q is given, %s or %s is accepted", line.Randoms, randomsInproc, randomsProcess)
	}
	_, err = netip.ParseAddr(o.host)
	if o.host == "" /* which would be every address of this machine */ || err != nil && strings.Trim(o.host, "0123456789.") == "" {
		return cli.Usagef("--host: %q is given, an address or a name is accepted", line.Host)
	}
	o.testDelay, err = duration("--test-delay", line.TestDelay)
	return err
}

// setting is a value from outside the command line, and how an error calls it.
type setting struct{ name, text string }

// settings returns a function that looks a name up in the environment, then in the file; file is nil where none is
// given.
func settings(file *string, env func(string) (string, bool)) (func(string) setting, error) {
	name := ".env"
	if file != nil {
		name = *file
	}
	values, err := readEnvFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && file == nil:
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Usagef("--env-file: %q is given, and there is no such file", name)
	case err != nil:
		return nil, err
	}
	return func(key string) setting {
		if v, ok := env(key); ok {
			return setting{key, v}
		}
		return setting{fmt.Sprintf("%s in %q", key, name), values[key]}
	}, nil
}

// readEnvFile reads NAME=value lines.
func readEnvFile(name string) (map[string]string, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return nil, cli.Usagef("--env-file: %q is a folder, a file is accepted", name)
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, cli.Usagef("--env-file: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte-order mark, as some editors write
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, cli.Usagef("--env-file: %q is no text in UTF-8", name)
	}
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, cli.Hint(cli.Usagef("--env-file: %q can't be read: %w", name, err), "it has lines such as NAME=value")
	}
	return values, nil
}

// readSettings takes over what the environment and the file say.
func (o *options) readSettings(get func(string) setting) (err error) {
	const most = 1 << 53 // what JSON's numbers hold exactly
	whole := func(key string, otherwise, least, most int) (n int) {
		if err == nil {
			s := get(key)
			n, err = number(s.name, s.text, otherwise, least, most)
		}
		return n
	}
	life := whole("EXP_TIME", int(app.DefaultSessionLife.Milliseconds()), 1, int(365*24*time.Hour/time.Millisecond))
	cantMax := whole("CANT_MAX", app.DefaultCantMax, 1, most)
	cant := whole("CANT_DEFAULT", min(app.DefaultCant, cantMax), 1, cantMax)
	if err != nil {
		return err
	}
	o.sessionLife = time.Duration(life) * time.Millisecond
	o.cantMax, o.cantDefault = int64(cantMax), int64(cant)
	if o.proxies, err = networks(get("TRUSTED_PROXIES")); err != nil {
		return err
	}
	o.instance = os.Getenv("INSTANCE")
	o.scoreboard = os.Getenv("SCOREBOARD")
	return nil
}

// networks reads networks, separated by commas.
func networks(s setting) (out []netip.Prefix, err error) {
	for text := range strings.SplitSeq(s.text, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, cli.Usagef("%s: %q is given, a network as 10.0.0.0/8 is accepted", s.name, text)
		}
		out = append(out, p)
	}
	return out, nil
}

// either returns the value of a flag with two names, and the name that was used.
func either(a, nameA, b, nameB string) (value, name string) {
	if b != "" {
		return b, nameB
	}
	return a, nameA
}

// number reads a whole number from least to most; an empty text is otherwise.
func number(name, text string, otherwise, least, most int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < least || n > most {
		return 0, cli.Usagef("%s: %q is given, a whole number from %d to %d is accepted", name, text, least, most)
	}
	return n, nil
}

// duration reads one that is not negative; an empty text is 0.
func duration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, cli.Usagef("%s: %q is given, a duration such as 200us or 5s is accepted", name, text)
	}
	return d, nil
}
