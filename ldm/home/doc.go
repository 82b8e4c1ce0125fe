// Package home mounts folders of a server, the user's home first, in the room of
// a login: for its local user alone, by sshfs(1), fed by sockets that the worker
// has opened.
//
// What the server says is distrusted: the home has to lie under a prefix that the
// administrator names. Nothing is made on the client's disk and nothing is seen
// outside the room. ldm opens /dev/fuse and mounts; sshfs is the local user's
// from its beginning. It does not live in the room, so that programs that are
// asked to end can still save what they have.
package home
