// Package desktop writes the command lines that a server's SSH daemon hands to
// the user's login shell, whichever that is: one that starts the desktop, and
// those that somebody typed.
//
// What comes from a person or a configuration is quoted data in them, and never
// evaluated.
package desktop
