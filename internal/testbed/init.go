package testbed

import (
	"fmt"
	"os"
	"runtime"
)

// The programs that Init turns this program into, by the name it was called by.
const (
	machineName = "goldm-machine" // the first process of a machine
	enterName   = "goldm-enter"   // the way into a machine, which becomes a command
)

// self is this program, whatever became of its file since.
const self = "/proc/self/exe"

// Init is called first in main or TestMain. In the processes that the package
// makes of this program it does their duty and does not return.
func Init() {
	var role func() error
	switch os.Args[0] {
	case machineName:
		role = runMachine
	case enterName:
		role = runEnter
	default:
		return
	}
	runtime.LockOSThread()
	if err := role(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(127) // as a shell does for a command that it cannot run
	}
	os.Exit(0)
}
