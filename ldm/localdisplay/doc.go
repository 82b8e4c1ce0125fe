// Package localdisplay is the X display that the programs of a login on the client
// have: a process, the filter, stands between them and the X server.
//
// The display's number is one of its own. Its sockets are ldm's and stay open as
// long as the login: libxcb tries a display's abstract name before its path, and
// whoever holds that name is given the cookie.
package localdisplay
