package balancer

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// mostEpochs bounds how many configurations are remembered.
const mostEpochs = 200

// Begin notes that the balancer is told at that time to read c, after it has had before; nil: none.
func (c *Config) Begin(before *Config, at time.Time) {
	c.Epochs = nil
	if before != nil {
		c.Epochs = before.Epochs[max(0, len(before.Epochs)-mostEpochs):]
	}
	c.Epochs = append(slices.Clone(c.Epochs), Epoch{Began: at, Groups: c.Groups})
}

// Done notes that c is in force from that time on, for the first time or once more.
func (c *Config) Done(at time.Time) {
	if n := len(c.Epochs); n == 0 || !c.Epochs[n-1].Done.IsZero() {
		c.Begin(c, at)
	}
	c.Epochs = slices.Clone(c.Epochs)
	c.Epochs[len(c.Epochs)-1].Done = at
}

// Save puts what a running balancer promises into a file, whole or not at all, for Load.
func (c *Config) Save(file string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("what %s promises: %w", c.Balancer, err)
	}
	if err := renameio.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("what %s promises: %w", c.Balancer, err)
	}
	return nil
}

// Load reads what Save has written.
func Load(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("what the balancer promises: %w", err)
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, nil
}
