package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"strconv"
	"syscall"

	"balanceo/server/app"
	"balanceo/server/randoms"
	"balanceo/server/scoreboard"
)

// drawMode is where random numbers are drawn.
type drawMode string

const (
	drawHere       drawMode = "inproc"
	drawInChildren drawMode = "process"
)

// drawCommand is how this program calls itself to draw in a child process: "server draw N". It is told apart
// before the flags are parsed and stands in no help.
const drawCommand = "draw"

// drawCall tells whether the arguments are such a call, and how many numbers it wants.
func drawCall(args []string) (n int64, ok bool) {
	if len(args) != 2 || args[0] != drawCommand {
		return 0, false
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	return n, err == nil && n > 0
}

// drawInChild is the child: it draws n numbers and writes the counts to w. What tells its parent to end goes to the
// whole group; the parent still waits for the counts then.
func drawInChild(n int64, w io.Writer) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	counts, err := randoms.NewDrawer(1).Draw(context.Background(), n)
	if err != nil {
		return err
	}
	return counts.Write(w)
}

// drawer returns how the application draws, counting into slot.
func drawer(mode drawMode, lanes int, slot *scoreboard.Slot) (app.DrawFunc, error) {
	draw := randoms.NewDrawer(lanes).Draw
	if mode == drawInChildren {
		processes, err := randoms.NewProcesses(lanes, drawCommand)
		if err != nil {
			return nil, err
		}
		draw = processes.Draw
	}
	return func(ctx context.Context, n int64) (app.Counts, error) {
		counts, err := draw(ctx, n)
		if err != nil {
			if !errors.Is(err, randoms.ErrBusy) && ctx.Err() == nil {
				slog.Error("numbers could not be drawn", "cant", n, "error", err)
			}
			return nil, fmt.Errorf("drawing %d numbers: %w", n, err)
		}
		slot.AddDraws(n)
		return counts, nil
	}, nil
}
