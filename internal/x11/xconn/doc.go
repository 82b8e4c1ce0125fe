// Package xconn connects to an X server as an ordinary client, with the library
// xgb: to the display that is named, with its cookie, within bounds.
package xconn
