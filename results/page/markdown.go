package page

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"
)

//go:embed page.md
var pageMD string

// Markdown writes the page for a pull request: the same words and tables, without plots.
func Markdown(w io.Writer, in Input) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"md":      escapeMD,
		"tooLong": func(title string) bool { return strings.HasPrefix(title, "Latency") }, // too many numbers for a pull request
	}).Parse(pageMD)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	if err := t.Execute(w, newView(in)); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

// escapeMD keeps a text from ending a table's cell, and "~" from striking anything out.
func escapeMD(text string) string {
	return strings.NewReplacer("|", `\|`, "~", `\~`, "<", "&lt;", "\n", " ").Replace(text)
}
