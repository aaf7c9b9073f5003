// Command topology starts a layout, instances of server behind one balancer, and keeps it: processes that end
// are started again, and replaced without losing a request when they are told to.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/jessevdk/go-flags"

	"balanceo/topology/cli"
	"balanceo/topology/fleet"
)

func main() {
	// A terminal that closes ends what runs on it. A layout that was started with -d has left its terminal: the
	// signal is taken and forgotten, not ignored, because processes inherit what is ignored.
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if isDetached() {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	} else {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is one of topology's commands, made of its flags.
type command interface {
	// run does it. The arguments are those that are no flags.
	run(ctx context.Context, s *session, args []string) error
}

// session is one call of the program.
type session struct {
	args           []string // all of them
	stdin          *os.File
	stdout, stderr *os.File
	common         *common
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin, stdout, stderr *os.File) int {
	common := &common{}
	parser, commands := newParser(common)
	rest, err := cli.Parse(parser, args)
	if err != nil {
		return cli.Exit(stdout, stderr, "topology", err)
	}
	name := called(parser.Active)
	active := commands[name]
	if _, takesMore := active.(*runCommand); len(rest) > 0 && !takesMore {
		err := cli.Usagef("%s %q: accepted are %s", name, rest[0], acceptedArgs(parser.Active))
		return cli.Report(stderr, "topology", err)
	}
	s := &session{args: args, stdin: stdin, stdout: stdout, stderr: stderr, common: common}
	err = active.run(ctx, s, rest)
	if ended, ok := errors.AsType[*commandError](err); ok {
		return ended.code() // it has said itself what it had to say
	}
	return cli.Report(stderr, "topology", err)
}

// acceptedArgs names what a command takes beside flags.
func acceptedArgs(c *flags.Command) string {
	var names []string
	for c.Active != nil {
		c = c.Active
	}
	for _, arg := range c.Args() {
		names = append(names, arg.Name)
	}
	if len(names) == 0 {
		return "only flags"
	}
	return "flags, " + strings.Join(names, " and ")
}

// called is the name of the command that was called, after those that it belongs to.
func called(c *flags.Command) string {
	if c.Active == nil {
		return c.Name
	}
	return c.Name + " " + called(c.Active)
}

// newParser makes the parser and its commands by name.
func newParser(common *common) (*flags.Parser, map[string]command) {
	parser := flags.NewNamedParser("topology", flags.HelpFlag|flags.PassDoubleDash)
	parser.LongDescription = "Starts instances of server behind one balancer and keeps them running.\n\n" +
		"Shell completion, in bash and zsh: complete -C topology topology" //nolint:dupword // both are meant
	must(parser.AddGroup("Every command", "", common))
	commands := map[string]command{}
	add := func(name, short, long string, c command) {
		must(parser.AddCommand(name, short, long, c))
		commands[name] = c
	}
	addExport(parser, commands)
	add("ledger", "Keep what parts that come and go leave behind",
		"Keeps what servers have counted, and the balancer's access log, for whoever measures a layout that is spread over "+
			"machines; export kubernetes runs it.", &ledgerCommand{})
	add("ship", "Pass an access log on to a ledger",
		"Passes an access log on to a ledger as it grows, and at the end what is left of it.", &shipCommand{})
	add("up", "Start a layout", upHelp, &upCommand{})
	add("run", "Start a layout, run a command, take the layout down",
		"Brings the layout up, runs the command after -- with BALANCEO_TARGET and BALANCEO_RUN in its environment, "+
			"takes the layout down whatever happens, and exits with the command's code.", &runCommand{})
	add("status", "Tell how the layout is", "Tells how the layout and its parts are.", &statusCommand{})
	add("logs", "Show what the parts write", "Shows the last lines of the parts' logs, by time.", &logsCommand{})
	add("restart", "End parts and start them anew",
		"Ends the named parts and starts them anew, one after the other; without names all instances and nginx.",
		&partsCommand{verb: fleet.Restart})
	add("reload", "Replace processes without losing a request",
		"Replaces the processes of the named instances, one after the other: the new one answers before the old one "+
			"drains. Without names all of them, and nginx if its configuration has changed.", &partsCommand{verb: fleet.Reload})
	add("kill", "Send a signal to a part", "Sends a signal (KILL) to a part or one of its workers. With --for it stays "+
		"down, or with --signal STOP frozen, for that long.", &killCommand{})
	add("slow", "Delay an instance's answers", "Makes an instance answer later, /healthz excepted; 0 ends that.", &slowCommand{})
	add("balance", "Give a group another method", "Lets the balancer share a group's requests by another method.", &balanceCommand{})
	add("weights", "Give a group other weights", "Lets the balancer share a group's requests by other weights.", &weightsCommand{})
	add("scale", "Set the number of workers", "Gives a CLUSTER instance another number of workers.", &scaleCommand{})
	add("ui", "Show a running layout on a live page", "Shows a running layout on a live page, until it is ended.", &uiCommand{})
	add("demo", "Start a layout with a load and a live page", demoHelp, &demoCommand{})
	add("down", "End parts or the layout", "Ends the named parts; without names the layout.", &downCommand{})
	return parser, commands
}

// must holds for the declarations above: they are wrong always or never.
func must[T any](_ T, err error) {
	if err != nil {
		panic(err)
	}
}
