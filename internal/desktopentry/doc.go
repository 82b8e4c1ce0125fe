// Package desktopentry reads and writes files in the format of the Desktop Entry
// Specification 1.5: programs for menus, sessions, and the lists of the MIME
// applications specification, which have the same form.
//
// It is lenient where desktops are: lines that make no sense are left out.
// Files come from anywhere, so they are bounded.
package desktopentry
