// Package heap has a program keep little garbage while it rests, and spend little on collecting it while it works.
//
// A session's processes hold a few megabytes that stay for as long as somebody is logged in, and mostly rest: a heap that may
// double between two collections keeps as much again for nothing. But pictures that go through are garbage at once. In a small
// heap they are collected every megabyte and a half, for two fifths of all the processor time that carrying them takes.
//
// How much a heap may grow is GOGC's percentage, of 4 MiB at least (runtime, "Environment Variables";
// defaultHeapMinimum in mgcpacer.go).
package heap
