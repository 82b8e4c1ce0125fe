// Package localapps carries requests to run programs on the client that shows a
// display, over properties of its windows.
//
// A Mailbox, in the client's session, owns the manager selection
// _LTSP_LOCALAPPS_S<screen> (ICCCM, section 2.8) by a window of its own. An
// Asker appends requests to a property of that window, from which they are taken
// and cleared in one go, so that none is lost and none runs twice; the answers
// are appended to a property of the asker's window. Whoever reaches the display may
// ask: that is the session's own user, and what may run is a Runner's to say.
//
// A Mailbox also takes what LTSP 5 had: LTSP_COMMAND and its siblings on the root
// window.
package localapps
