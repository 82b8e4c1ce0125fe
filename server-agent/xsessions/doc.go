// Package xsessions finds the desktops that a server offers: the .desktop files
// in the xsessions folders of XDG_DATA_DIRS, in the format of the Desktop Entry
// Specification 1.5.
package xsessions
