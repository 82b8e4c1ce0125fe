// Package greeter is the login screen without a toolkit: what it shows and what
// it says to the daemon.
//
// Model is a pure state machine: events from the person, from the daemon and
// from the clock go in; actions and a View to paint come out. Run drives one: it
// keeps the connection to the daemon (greetd-ipc(7)), carries out the actions and
// hands each View to a Screen.
//
// An answer lives from the key press until it is written to the daemon, and is
// in no view and no log.
package greeter
