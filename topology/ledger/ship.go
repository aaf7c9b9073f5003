package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"
)

// How often a log is looked at, and how long the rest of it is tried to be passed on when its writer has ended.
const (
	shipPeriod = 100 * time.Millisecond
	restLimit  = 5 * time.Second
)

// Ship passes the log in file on to the ledger at url, as source, until ctx ends, and then what is still left. What
// the ledger has is given back to the disk, so that the log does not fill it.
func Ship(ctx context.Context, file, url, source string) error {
	f, err := openWhenThere(ctx, file)
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	defer f.Close()
	s := &shipper{file: f, url: url + PathLog + source}
	failing := false
	for ctx.Err() == nil {
		err := s.rest(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			slog.Warn("the access log was not passed on", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
		case <-time.After(shipPeriod):
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restLimit)
	defer cancel()
	for {
		if err = s.rest(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(shipPeriod)
	}
}

// openWhenThere waits for a file that its writer makes.
func openWhenThere(ctx context.Context, file string) (*os.File, error) {
	for {
		last := ctx.Err() != nil
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err == nil || last || !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(shipPeriod):
		}
	}
}

type shipper struct {
	file *os.File
	url  string
	next int64 // what is before, the ledger has
	gone int64 // what is before, the disk has back
}

// rest passes on the whole lines that there are.
func (s *shipper) rest(ctx context.Context) error {
	buf := make([]byte, chunk)
	for {
		n, err := s.file.ReadAt(buf, s.next)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end := bytes.LastIndexByte(buf[:n], '\n') + 1
		if end == 0 {
			return nil
		}
		next, err := s.post(ctx, buf[:end])
		if err != nil {
			return err
		}
		s.next = next
		if s.next-s.gone > kept/16 && forget(s.file, s.gone, s.next) == nil {
			s.gone = s.next
		}
	}
}

// post sends lines from s.next on and returns where to go on.
func (s *shipper) post(ctx context.Context, lines []byte) (next int64, err error) {
	resp, err := send(ctx, http.MethodPost, s.url+"?at="+strconv.FormatInt(s.next, 10), bytes.NewReader(lines))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return strconv.ParseInt(resp.Header.Get(headerNext), 10, 64)
}
