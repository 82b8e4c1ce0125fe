// Package ldm runs a seat of a thin client: its X server, its greeter and the
// workers of its logins, each as a user of its own. What to do when is decided
// by package login; this package does it and reports what came of it.
package ldm
