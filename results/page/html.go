package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// HTML writes the page as one file that needs nothing else: no script, no font, no image from anywhere.
func HTML(w io.Writer, in Input) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"svg":  func(s string) template.HTML { return template.HTML(s) }, //nolint:gosec // drawn by package plots, which escapes its texts
		"css":  func() template.CSS { return template.CSS(pageCSS) },     //nolint:gosec // our own
		"slug": slug,
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	if err := t.Execute(w, newView(in)); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

func slug(text string) string {
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(text), "-"), "-")
}
