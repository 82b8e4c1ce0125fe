// Package xauth reads and writes Xauthority files (Xau(3)), which hold the
// cookies that programs show to an X server, and finds the one for a display.
//
// A file is a row of entries: a family in two bytes, then address, display
// number, name and data, each a length in two bytes and that many bytes. All
// numbers are in big-endian order, whatever the machine.
package xauth
