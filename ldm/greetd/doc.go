// Package greetd speaks the IPC of greetd (greetd-ipc(7)), between a display
// manager and its greeter.
//
// A frame is a 32-bit length in native byte order and that many bytes of UTF-8
// JSON, an object tagged by its member "type". The greeter sends requests and
// the daemon answers each with one response; one request is outstanding at a
// time. Describe, the optional fields of CreateSession, and Progress are ours:
// they go only to those who ask for them, so that greeters written for greetd
// work unchanged.
package greetd
