// Package sound gives programs on a server the sound of the client: the session
// has a Unix socket there, in a folder of its own, whose programs are connected to
// the client's sound daemon over the session's SSH connection.
//
// What programs say is PulseAudio's native protocol, which PipeWire's daemon
// speaks too. We look into it as far as we have to: a program shows a cookie that
// is the session's own, and the daemon sees its own, which never leaves the
// client; shared memory, which a daemon and a program on two computers would
// agree on where their user ids happen to be equal, is not offered; and commands
// that are the business of who owns the daemon are refused.
package sound
