// Package testbed makes two machines out of one, for the tests and the demo: a
// client and a server, each in mount, UTS, IPC, PID and network namespaces of
// its own, on a Debian tree that is built once and cached, with a cable (a veth
// pair) between them.
//
// Nothing of a machine exists outside its namespaces: what it writes lies on a
// tmpfs that only it has mounted, its interfaces are made inside, and its first
// process dies with ours. So nothing stays behind, however the end comes.
//
// A program that uses the package calls Init before anything else. Needs root.
package testbed
