// Package e2e tests the application from outside, as real processes: its tests, under the build tag e2e, walk through
// the pages with a real browser (chromium, or the program that CHROME names), and attack a whole layout. It owns the
// table of those attacks.
package e2e
