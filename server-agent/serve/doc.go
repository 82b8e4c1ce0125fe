// Package serve answers what a server tells its clients before anybody has logged in:
// by HTTP, and as LTSP 5's ldminfod did. Both come from the same data.
//
// Anybody on the network may ask, as often as they like: answers are made once and kept
// for two seconds, a request has seconds to arrive, an address may ask so often, and
// when there are too many connections those go that have waited longest. Thus a school
// that switches on is served, and who is slow on purpose holds up nobody.
package serve
