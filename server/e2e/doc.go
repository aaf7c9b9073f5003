// Package e2e walks through the application with a real browser: its tests, under the build tag e2e, start
// real server processes and need chromium (or the program that CHROME names).
package e2e
