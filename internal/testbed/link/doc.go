// Package link carries packets between two devices as a long or slow line
// would: each is on its way for so long, takes up the line for as long as its
// size needs, and is dropped where too many wait already. It needs nothing of
// the kernel but the devices, which are TUN devices or sockets that keep
// packets apart.
//
// A thread for each direction reads, waits and writes by itself, since Go's own
// timers may be a millisecond late.
package link
