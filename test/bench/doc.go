// Command goldm-bench measures remote sessions on two machines with a link
// between them whose delay and rate are chosen, ours beside others of the kind,
// and prints a table for each question.
//
// What is quoted are ratios within a run, in which all take turns, and counts:
// those do not drift with the computer's mood. On the machines the same program
// plays the applications and the counter between them and the display.
package main
