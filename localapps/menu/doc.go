// Package menu turns the programs of a client into entries for the menus of a
// desktop on a server: the client's desktop files, rewritten so that they start
// through ltsp-localapps, with their icons, and what opens links on the client.
//
// It follows the Desktop Entry, Desktop Menu, Icon Theme and MIME Applications
// specifications. What it makes is a set of files for server-agent/menu.
package menu
