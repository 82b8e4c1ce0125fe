// Package stall bounds what the channels of one SSH connection hold, all together, of what this side
// does not take.
//
// x/crypto/ssh lets a peer send 2 MiB on each channel and keeps them until they are read. A program may open
// hundreds of channels and fill them while another one holds the X server. A Budget counts each channel that is behind
// as a full window, and ends the youngest of them where these are too many. It looks at the heap too, since data in
// small packets takes up to fifty times its size.
package stall
