package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// askLimit bounds one question.
const askLimit = 5 * time.Second

// errAnew is returned where a ledger has begun anew, so that what it says is no continuation.
var errAnew = errors.New("the ledger has begun anew, and what it knew is lost")

// AskCounts asks the ledger at url what the servers have counted.
func AskCounts(ctx context.Context, url string) (*Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	resp, err := get(ctx, url+PathCounts)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	defer resp.Body.Close()
	var c Counts
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", url, err)
	}
	return &c, nil
}

// Reader reads the access log that a ledger keeps, from where it ended when the reader was made.
type Reader struct {
	url   string
	epoch string
	next  int64
	tail  []byte // the beginning of a line whose end is not there yet
}

// ReadLog makes a reader of the log in the ledger at url.
func ReadLog(ctx context.Context, url string) (*Reader, error) {
	r := &Reader{url: url + PathLog}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	resp, err := get(ctx, r.url)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	defer resp.Body.Close()
	r.epoch = resp.Header.Get(headerEpoch)
	if r.next, err = strconv.ParseInt(resp.Header.Get(headerNext), 10, 64); err != nil {
		return nil, fmt.Errorf("access log: %s is no ledger: %w", url, err)
	}
	return r, nil
}

// Lines calls f with each line that has come since. The line is valid during the call only.
func (r *Reader) Lines(ctx context.Context, f func(line []byte)) error {
	for {
		part, err := r.part(ctx)
		if err != nil {
			return fmt.Errorf("access log: %w", err)
		}
		if len(part) == 0 {
			return nil
		}
		r.next += int64(len(part))
		for rest := slices.Concat(r.tail, part); ; {
			line, after, whole := bytes.Cut(rest, []byte{'\n'})
			if !whole {
				r.tail = bytes.Clone(rest)
				break
			}
			f(bytes.TrimSpace(line))
			rest = after
		}
	}
}

func (r *Reader) part(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	resp, err := get(ctx, r.url+"?from="+strconv.FormatInt(r.next, 10))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.Header.Get(headerEpoch) != r.epoch {
		return nil, errAnew
	}
	return io.ReadAll(resp.Body)
}

// get asks.
func get(ctx context.Context, url string) (*http.Response, error) {
	return send(ctx, http.MethodGet, url, nil)
}

// send asks or tells; an answer that is none is an error.
func send(ctx context.Context, method, url string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, statusError(resp)
	}
	return resp, nil
}
