//go:build race

package session_test

// memoryFactor is what the race detector's own memory makes of a process's, go.dev/doc/articles/race_detector.
const memoryFactor = 3
