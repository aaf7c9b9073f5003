// Package faults keeps the page of what was done to a layout and what came of it: README.md beside this file. Each
// of its tables is a section that one command prints and puts in place of what it printed before.
package faults

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

const title = "# Faults and abuse\n"

// Put replaces the section with that heading in the file by text, or adds it at the end.
func Put(file, heading, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("page of faults: %w", err)
	}
	if err := renameio.WriteFile(file, []byte(put(string(old), heading, text)), 0o644); err != nil {
		return fmt.Errorf("page of faults: %w", err)
	}
	return nil
}

func put(page, heading, text string) string {
	page = cmp.Or(page, title)
	section := "## " + heading + "\n\n" + strings.TrimSpace(text) + "\n"
	before, rest, found := strings.Cut(page, "## "+heading+"\n")
	if !found {
		return strings.TrimRight(page, "\n") + "\n\n" + section
	}
	if i := strings.Index(rest, "\n## "); i >= 0 {
		section += rest[i:]
	}
	return before + section
}

// Machine names the day and the machine, and how busy that is, as far as the system tells.
func Machine() string {
	day := time.Now().UTC().Format(time.DateOnly)
	cpus, err := os.ReadFile("/proc/cpuinfo")
	model := regexp.MustCompile(`model name\s*: (.*)`).FindAllSubmatch(cpus, -1)
	if err != nil || len(model) == 0 {
		return day
	}
	load, _ := os.ReadFile("/proc/loadavg") // nothing is said of what is not known
	one, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%s, %s, %d cores, load average %s", day, model[0][1], len(model), one)
}
