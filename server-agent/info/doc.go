// Package info gathers what a server tells its clients before anybody has logged in:
// desktops, languages, keyboard, how loaded it is, and the rating that is made of that.
// One file that cannot be read, or makes no sense, costs its own part of the answer and
// nothing else.
package info
