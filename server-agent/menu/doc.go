// Package menu is the server's part in the menus of a session: it writes the
// entries of the client's programs, which localapps/menu has made on the client, into
// a private folder, and leads the desktop there, for this session only.
package menu
