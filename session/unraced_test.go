//go:build !race

package session_test

const memoryFactor = 1 // see raced_test.go
