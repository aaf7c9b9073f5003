package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"balanceo/topology/ledger"
)

type ledgerCommand struct {
	Listen string `long:"listen" value-name:"ADDRESS" default:"127.0.0.1:8090" description:"address to listen on"`
}

// ledgerDrain is how long the ledger waits for whoever asks it when it is to end.
const ledgerDrain = 2 * time.Second

func (c *ledgerCommand) run(ctx context.Context, _ *session, _ []string) error {
	log, err := ledger.OpenLog("")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	server := &http.Server{Addr: c.Listen, Handler: ledger.New(log).Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("ledger on %s: %w", c.Listen, err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerDrain)
	defer cancel()
	if err := server.Shutdown(ending); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ledger on %s: %w", c.Listen, err)
	}
	_ = server.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("ledger on %s: %w", c.Listen, err)
	}
	return nil
}

type shipCommand struct {
	Log    string `long:"log" value-name:"FILE" required:"true" description:"the access log"`
	To     string `long:"to" value-name:"URL" required:"true" description:"the ledger's address, as http://ledger:8090"`
	Source string `long:"source" value-name:"NAME" description:"what the ledger calls the log (default: this machine's name)"`
}

func (c *shipCommand) run(ctx context.Context, _ *session, _ []string) error {
	source := c.Source
	if source == "" {
		var err error
		if source, err = os.Hostname(); err != nil {
			return err
		}
	}
	return ledger.Ship(ctx, c.Log, c.To, source)
}
