// Package mux carries many byte streams over one connection, for the X clients of a
// session: each with its own flow control, those that say little ahead of those
// that say much, in batches that are compressed where that saves time.
//
// A batch is a head and whole frames, compressed or not; batch.go and frame.go hold the
// encoding. The compressed batches of one direction are one zstd frame,
// flushed after each, so that what came before helps to shorten what comes next: from the side
// that opens streams more of it, since that is where X clients are.
//
// The peer is trusted with nothing: what follows no rule ends the connection, and
// everything that is kept for it is bounded.
package mux
