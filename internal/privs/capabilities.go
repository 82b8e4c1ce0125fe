package privs

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Capabilities is a set of capabilities(7): bit CAP_… is 1 << CAP_….
type Capabilities uint64

// CapabilitySet returns the set of these capabilities.
func CapabilitySet(capabilities ...int) Capabilities {
	var set Capabilities
	for _, c := range capabilities {
		set |= 1 << c
	}
	return set
}

// Limit leaves this process, which is root's, none but these capabilities in any
// set, the bounding set among them, so that its children get no others either.
// Capabilities are a thread's, and only execve(2) gives a process those of one
// thread: a process that has more starts its program anew, by the same pid and
// with the same words. It has to be called before anything else was begun.
func Limit(keep Capabilities) error {
	has, err := owned()
	if err != nil {
		return err
	}
	if has&^keep == 0 {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := Drop(keep); err != nil {
		return err
	}
	return fmt.Errorf("start anew: %w", unix.Exec("/proc/self/exe", os.Args, os.Environ()))
}

// Drop leaves the calling thread, and a program that it executes as root, none
// but these capabilities.
func Drop(keep Capabilities) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	if err := Bound(keep); err != nil {
		return err
	}
	_, data, err := capabilities()
	if err != nil {
		return err
	}
	for i := range data {
		part := uint32(keep >> (32 * i))
		data[i].Permitted &= part
		data[i].Effective &= part
		data[i].Inheritable = 0
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}

// Bound leaves the bounding set of the calling thread, and of what it executes,
// none but these capabilities: no file can give the program others.
func Bound(keep Capabilities) error {
	for c := range uintptr(64) {
		if keep&(1<<c) != 0 {
			continue
		}
		// EINVAL: the kernel has no such capability.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("give up capability %d: %w", c, err)
		}
	}
	return nil
}

// owned returns all that this process has or can get.
func owned() (Capabilities, error) {
	has, _, err := capabilities()
	if err != nil {
		return 0, err
	}
	for c := range uintptr(64) {
		in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if err == nil && in == 1 {
			has |= 1 << c
		}
	}
	return has, nil
}

// capabilities returns those of the calling thread's permitted and inheritable
// sets, and the sets as the kernel gives them: capget(2), version 3.
func capabilities() (Capabilities, *[2]unix.CapUserData, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := new([2]unix.CapUserData)
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, nil, fmt.Errorf("capget: %w", err)
	}
	var has Capabilities
	for i, d := range data {
		has |= Capabilities(d.Permitted|d.Inheritable) << (32 * i)
	}
	return has, data, nil
}
