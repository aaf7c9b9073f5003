package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"balanceo/server/app"
	"balanceo/server/randoms"
	"balanceo/server/scoreboard"
)

// Where random numbers are drawn, as --randoms says it.
const (
	randomsInproc  = "inproc"
	randomsProcess = "process"
)

// drawing returns how the application draws, counting into slot.
func drawing(where string, atOnce int, slot *scoreboard.Slot) (app.DrawFunc, error) {
	draw := randoms.NewLocal(atOnce).AppendJSON
	if where == randomsProcess {
		processes, err := randoms.NewProcesses(atOnce)
		if err != nil {
			return nil, err
		}
		draw = processes.AppendJSON
	}
	return func(ctx context.Context, b []byte, n int64) ([]byte, error) {
		b, err := draw(ctx, b, n)
		if err != nil {
			if !errors.Is(err, randoms.ErrBusy) && ctx.Err() == nil {
				slog.Error("numbers could not be drawn", "cant", n, "error", err)
			}
			return b, fmt.Errorf("drawing %d numbers: %w", n, err)
		}
		slot.AddDraws(n)
		return b, nil
	}, nil
}
