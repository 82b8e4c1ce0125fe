// Package limits tests that docs/internals/limits.md has every bound of the source, with its value, its reason, and what is said
// where it is met. After a change of the source
//
//	go test ./test/limits -update
//
// writes the values and adds rows, whose reasons are left to fill in.
package limits
