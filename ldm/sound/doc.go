// Package sound runs a sound daemon for a login: PulseAudio, or PipeWire with
// what belongs to it, as the login's local user and in its room.
//
// Its socket is made here and handed over, as a service manager does, so that
// it is where nobody can put another one, is open to nobody but the local user
// and the session's worker, and outlives a daemon that has to be started again.
// Only the process that watches for sound cards sees the network, where udev's
// events are: PulseAudio itself, and WirePlumber beside PipeWire.
package sound
