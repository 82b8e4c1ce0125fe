// Package logs keeps a log that other people can provoke lines in both truthful
// and bounded.
//
// A Limiter lets so many lines of each kind pass and gives the allowance back
// with time. It counts what it leaves out and says the number. Open makes a log
// that is limited in this way. Programs that ldm starts write frames to it: one
// JSON object a line, which ldm reads with Parse and logs as the program's words.
package logs
