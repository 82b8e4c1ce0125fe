// Package status is what the running ldm tells of its seat, in a file that root
// alone may read, and how `ldm status` reads it.
//
// The file names the process that wrote it. One that a killed ldm left is thereby
// told from a living one's: a process with that number and that time of start is
// the same (proc_pid_stat(5), field 22).
package status
