// Package infowire holds what a server tells its clients before anybody has logged in:
// the answer to GET /v1/info on port 9572, a JSON object.
//
// Nobody proves who gives the answer, so it counts for nothing but order, names and
// preferences; and anybody may ask, so it names no user. Members are added within a
// version; what a client does not know it passes over.
package infowire
