package seccomp

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification is struct seccomp_notif of linux/seccomp.h.
type notification struct {
	id     uint64
	pid    uint32
	flags  uint32
	number int32
	arch   uint32
	ip     uint64
	args   [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// An attacker that asks again and again is answered more slowly: a thread that was refused
// something waits for the answer, and each costs this process something.
const (
	promptAnswers = 100
	slowly        = 20 * time.Millisecond
)

// Listen answers each refused call with EPERM and tells its name. It returns nil when
// no process is bound by the filter any more; to close listener ends it with an error.
func Listen(listener *os.File, refused func(call string)) error {
	for n := 0; ; n++ {
		request, err := receive(listener)
		if err != nil || request == nil {
			return err
		}
		if request.id == 0 { // the caller has ended meanwhile
			continue
		}
		refused(nameOf(request.number))
		if n >= promptAnswers {
			time.Sleep(slowly)
		}
		answer := response{id: request.id, errno: -int32(unix.EPERM)}
		if err := control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("seccomp answer: %w", err)
		}
	}
}

// receive waits for a refused call; nil when there can be none.
func receive(listener *os.File) (*notification, error) {
	raw, err := listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	var request *notification
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		// The ioctl would wait where nothing can end it.
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, 0); err != nil {
			return false
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return poll[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
		}
		request = new(notification) // which has to be zero
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(request)))
		if errno != 0 && errno != unix.ENOENT && errno != unix.EINTR {
			fault = fmt.Errorf("seccomp notification: %w", errno)
		}
		return true
	})
	return request, errors.Join(err, fault)
}

// control is an ioctl on the listener, as long as that is open.
func control(listener *os.File, request uintptr, arg unsafe.Pointer) error {
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}
