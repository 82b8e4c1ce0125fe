// Package sound is the server's part in a session's sound. The client's worker
// has made a folder, in which sshd listens for PulseAudio's programs; here the
// folder gets a PipeWire of the session's own, for programs that speak nothing
// else, and is removed at the end.
//
// That PipeWire has no devices but the client's, which it reaches as a program of
// PulseAudio's. It is started when the first program wants it: most
// sessions need none.
package sound
